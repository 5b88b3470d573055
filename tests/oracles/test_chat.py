"""The interactive chat of `ingot run`, on a pseudo terminal as a person uses it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest

import bad_input
from bad_input import MODELS

CHAT = MODELS / "llama3"
BASE = MODELS / "llama" / "model.gguf"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")
PROMPT = "> "


class Terminal:
    """`ingot run` on a terminal of its own; read() gives what the screen was sent, without control sequences."""

    def __init__(self, home, *arguments, term="xterm", nohup=False):
        program = bad_input.Program().path
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "HOME": str(home), "TERM": term, "LC_ALL": "C"}
            environment.pop("XDG_STATE_HOME", None)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test in the background has it ignored
            signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
            os.execve(program, [str(program), "run", *map(str, arguments)], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.modes = termios.tcgetattr(self.fd)
        self.raw, self.text, self.at, self.code = b"", "", 0, None

    def _more(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self.fd, 65536)
        except OSError:
            part = b""
        self.raw += part
        self.text = CONTROL.sub("", self.raw.decode(errors="replace"))
        return bool(part)

    def until(self, wanted, seconds=30):
        """Waits until `wanted` stands after what earlier calls saw; returns the text between."""
        end = time.monotonic() + seconds
        while wanted not in self.text[self.at:]:
            if not self._more(max(0, end - time.monotonic())):
                pytest.fail(f"no {wanted!r} after {seconds} s or at the end; the terminal shows:\n{self.text[-2000:]!r}")
        found = self.text.index(wanted, self.at)
        between = self.text[self.at:found]
        self.at = found + len(wanted)
        return between

    def send(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def say(self, text):
        """Types a line; returns what is shown until the next prompt, without the typed line."""
        self.send(text + "\r")
        self.until(text.split("\n")[0])
        return self.until("\n" + PROMPT)

    def end(self, seconds=20):
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            self._more(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
                while self._more(0.1):
                    pass
                return self.code
        pytest.fail(f"it does not end; the terminal shows:\n{self.text[-2000:]!r}")

    def close(self):
        if self.code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        os.close(self.fd)


@pytest.fixture
def chat(tmp_path):
    opened = []

    def start(*arguments, **options):
        opened.append(Terminal(tmp_path, *arguments, "--temperature", "0", "-t", "1", **options))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def started(terminal):
    hello = terminal.until("\n" + PROMPT)
    assert "/help" in hello and "Ctrl-D" in hello
    return hello


def test_a_conversation_streams_answers_and_ends_with_ctrl_d(chat):
    t = chat(CHAT, "-n", "8")
    started(t)
    assert t.say("hello there").strip()
    assert t.say("and again").strip()
    t.send("\x04")
    assert t.end() == 0


def test_bye_and_help_and_unknown_commands(chat):
    t = chat(CHAT, "-n", "4")
    started(t)
    help_text = t.say("/help")
    assert "/clear" in help_text and "/exit" in help_text and '"""' in help_text
    assert "no command /frob" in t.say("/frob")
    t.send("/bye\r")
    assert t.end() == 0


def test_clear_forgets_the_conversation(chat):
    t = chat(CHAT, "-n", "8", "-v")
    started(t)
    first = t.say("hello there")
    longer = t.say("hello there")
    assert "conversation" in t.say("/clear")
    again = t.say("hello there")
    tokens = [int(re.search(r"\[(\d+) prompt tokens", s).group(1)) for s in (first, longer, again)]
    assert tokens[0] == tokens[2] < tokens[1]
    answer = lambda s: s[:s.index("[")]
    assert answer(first) == answer(again)


def test_lines_that_go_on(chat):
    t = chat(CHAT, "-n", "2", "-v")
    started(t)

    def tokens_of(shown):
        return int(re.search(r"\[(\d+) prompt tokens", shown).group(1))

    t.send("first\\\r")
    t.until("\n. ")
    backslash = tokens_of(t.say("second"))
    t.say("/clear")
    t.send('"""\r')
    t.until("\n. ")
    t.send("first\r")
    t.until("\n. ")
    t.send("second\r")
    t.until("\n. ")
    t.send('"""\r')
    t.until('"""')
    block = tokens_of(t.until("\n" + PROMPT))
    t.say("/clear")
    one_line = tokens_of(t.say("first"))
    assert block >= backslash > one_line


def test_pasted_lines_are_one_message(chat):
    t = chat(CHAT, "-n", "2", "-v")
    started(t)
    t.send("\x1b[200~first\rsecond\x1b[201~")
    time.sleep(0.3)
    t.send("\r")
    shown = t.until("prompt tokens")
    assert "second" in shown
    t.until("\n" + PROMPT)
    t.send("\x04")
    assert t.end() == 0
    assert t.text.count("prompt tokens") == 1


def test_history_is_kept_between_runs(chat, tmp_path):
    t = chat(CHAT, "-n", "2")
    started(t)
    t.say("remember the milk")
    t.send("\x04")
    assert t.end() == 0
    assert "milk" in (tmp_path / ".local" / "state" / "ingot" / "history").read_text()
    t = chat(CHAT, "-n", "2")
    started(t)
    t.send("\x1b[A")
    t.until("remember the milk")
    t.send("\r")
    t.until("\n" + PROMPT)


def test_ctrl_c_stops_the_answer_and_not_the_program(chat):
    t = chat(CHAT, "--ignore-eos", "--ctx", "100000", "-v")
    started(t)
    t.send("tell me a story\r")
    t.until("tell me a story")
    time.sleep(0.5)
    t.send("\x03")
    t.until("prompt tokens")
    t.until("\n" + PROMPT)
    t.send("half a line\x03")
    t.until("half a line")
    t.until("\n" + PROMPT)
    t.send("\x03")
    t.until("/exit")
    t.until("\n" + PROMPT)
    t.send("\x04")
    assert t.end() == 0


ENDLESS = ("--ignore-eos", "--ctx", "1000000")


def begin_answer(terminal, text="go"):
    terminal.send(text + "\r")
    terminal.until(text + "\n")
    terminal.until("i")  # the answer has begun


def test_two_ctrl_c_at_an_empty_prompt_leave_with_130(chat):
    t = chat(CHAT)
    started(t)
    t.send("\x03")
    t.until("Ctrl-C again")
    t.until(PROMPT)
    t.send("\x03")
    assert t.end() == 130


def test_a_line_between_two_ctrl_c_forgets_the_first(chat):
    t = chat(CHAT, "-n", "2")
    started(t)
    t.send("\x03")
    t.until("Ctrl-C again")
    t.until(PROMPT)
    t.say("hello")
    t.send("\x03")
    t.until("Ctrl-C again")
    t.until(PROMPT)
    t.send("\x04")
    assert t.end() == 0


def test_ctrl_c_in_a_block_drops_the_block(chat):
    t = chat(CHAT, "-n", "2", "-v")
    started(t)
    t.send('"""\r')
    t.until("\n. ")
    t.send("first\r")
    t.until("\n. ")
    t.send("\x03")
    t.until("\n" + PROMPT)
    t.say("/help")
    assert "prompt tokens" not in t.text


def test_keys_typed_during_an_answer_wait_for_the_next_line(chat):
    t = chat(CHAT, *ENDLESS)
    started(t)
    begin_answer(t)
    t.send("QQzz grüßE")
    time.sleep(0.3)
    t.send("\x03")  # stops the answer and keeps the keys
    shown = t.until("\n" + PROMPT)
    assert "QQ" not in shown and "^C" not in shown
    t.until("QQzz grüßE")
    t.send("\x15/exit\r")
    assert t.end() == 0


def test_lines_typed_during_an_answer_are_answered_in_turn(chat):
    t = chat(CHAT, "--ignore-eos", "-n", "300", "--ctx", "100000", "-v")
    started(t)
    t.send("one\rtwo\rthree\r\x04")
    assert t.end() == 0
    assert t.text.count("prompt tokens") == 3


def test_ctrl_c_typed_before_the_answer_begins_is_not_lost(chat):
    t = chat(CHAT, *ENDLESS)
    started(t)
    t.send("go\r\x03")  # in one piece: the program has not read the line when Ctrl-C comes
    t.until("go")
    t.until("\n" + PROMPT)
    t.send("\x04")
    assert t.end() == 0


def test_an_interrupt_of_another_program_is_as_ctrl_c(chat):
    t = chat(CHAT, *ENDLESS)
    started(t)
    begin_answer(t)
    os.kill(t.pid, signal.SIGINT)
    t.until("\n" + PROMPT)
    time.sleep(0.2)
    t.send("half")
    t.until("half")
    os.kill(t.pid, signal.SIGINT)
    t.until("\n" + PROMPT)
    os.kill(t.pid, signal.SIGINT)
    t.until("Ctrl-C again")
    t.until(PROMPT)
    os.kill(t.pid, signal.SIGINT)
    assert t.end() == 130


@pytest.mark.parametrize("during_answer", [False, True])
@pytest.mark.parametrize("ending", ["signal", "key"])
def test_the_terminal_is_as_it_was_however_the_chat_ends(chat, during_answer, ending):
    t = chat(CHAT, *ENDLESS)
    started(t)
    if during_answer:
        begin_answer(t)
    assert termios.tcgetattr(t.fd)[3] != t.modes[3]
    if ending == "signal":
        os.kill(t.pid, signal.SIGTERM)
        assert t.end() == -signal.SIGTERM
    else:
        if during_answer:
            t.send("\x03")
            t.until("\n" + PROMPT)
        t.send("\x04")
        assert t.end() == 0
    assert termios.tcgetattr(t.fd) == t.modes
    assert t.raw.count(b"\x1b[?2004h") == t.raw.count(b"\x1b[?2004l")


def test_a_long_paste_is_one_message_and_quick(chat):
    t = chat(CHAT, "-n", "1", "-v", "--ctx", "100000")
    started(t)
    text = "word 漢字 " * 1500
    t.send("\x1b[200~" + text + "\x1b[201~")
    t.send("\r")
    t.until("prompt tokens")
    t.until("\n" + PROMPT)
    for _ in range(20):  # without marks: typed, quickly
        t.send("y" * 200)
    t.send("\r")
    t.until("prompt tokens")
    assert t.text.count("prompt tokens") == 2


def test_bytes_that_are_no_text_do_no_harm(chat):
    t = chat(CHAT, "-n", "2")
    started(t)
    t.send(b"a\xff\xc3\xed\xa0\x80\xf0\x9f\r")
    t.until("\n" + PROMPT)
    t.send(b"\xe6\xbc")  # half a character, then the end
    time.sleep(0.1)
    t.send("\x03\x04")
    assert t.end() == 0


def test_a_window_that_changes_is_no_end(chat):
    t = chat(CHAT, "-n", "2")
    started(t)
    t.send("abc")
    t.until("abc")
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 20, 0, 0))
    time.sleep(0.2)
    t.send("d\r")
    t.until("\n" + PROMPT)
    t.send("\x04")
    assert t.end() == 0


@pytest.mark.parametrize("term", ["", "dumb", "weird-terminal", "linux", "screen-256color"])
def test_any_terminal_will_do(chat, term):
    t = chat(CHAT, "-n", "2", term=term)
    started(t)
    t.say("hello")
    t.send("\x04")
    assert t.end() == 0
    assert "terminal type" not in t.text


@pytest.mark.parametrize("nohup", [False, True])
def test_a_terminal_that_goes_away_ends_the_program(chat, nohup):
    t = chat(CHAT, *ENDLESS, nohup=nohup)
    started(t)
    begin_answer(t)
    os.close(t.fd)
    t.fd = os.open("/dev/null", os.O_RDONLY)
    stop = time.monotonic() + 10
    while time.monotonic() < stop:
        done, status = os.waitpid(t.pid, os.WNOHANG)
        if done:
            t.code = os.waitstatus_to_exitcode(status)
            assert t.code in (-signal.SIGHUP, 1, 130)  # not by a crash
            return
        time.sleep(0.05)
    pytest.fail("it runs on")


def test_a_load_shows_its_progress_on_a_terminal_only(chat, gemma):
    t = chat(gemma, "-p", "Hi", "-n", "1")
    while os.waitid(os.P_PID, t.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:  # slowed down, so that it takes a second
        os.kill(t.pid, signal.SIGSTOP)
        time.sleep(0.05)
        os.kill(t.pid, signal.SIGCONT)
        time.sleep(0.005)
    assert t.end() == 0
    shown = t.raw.decode(errors="replace")
    assert f"loading {gemma.name}" in shown and "%" in shown and "MiB of" in shown
    assert shown.rindex("\x1b[K") > shown.rindex("loading")
    done = bad_input.Program().run("run", gemma, "-p", "Hi", "-n", "1")
    assert done.code == 0 and done.err == "", done


def test_a_full_context_says_so_and_the_chat_goes_on(chat):
    t = chat(CHAT, "--ignore-eos", "--ctx", "64")
    started(t)
    assert "/clear" in t.say("hello")
    shown = t.say("hello again and again and again " * 4)
    assert "error: [run] the prompt has" in shown and "--ctx" in shown
    t.say("/clear")
    assert "/clear" in t.say("hello")


def test_a_base_model_continues_the_text(chat):
    t = chat(BASE, "-n", "4", "-v")
    assert "no chat template" in started(t)
    first = int(re.search(r"\[(\d+) prompt", t.say("once upon a time")).group(1))
    second = int(re.search(r"\[(\d+) prompt", t.say("there was")).group(1))
    assert second > first


def test_text_in_any_script_is_read_whatever_the_locale(chat):
    t = chat(CHAT, "-n", "2")
    started(t)
    t.send("grüße 漢字 🙂\r")
    t.until("grüße 漢字 🙂")
    t.until("\n" + PROMPT)
    t.send("abü\x7f\x7fc\r")  # one backspace takes a whole character
    t.until("\n" + PROMPT)
    t.send("\x1b[A")
    t.until("ac")


def test_nothing_but_text_reaches_a_dumb_terminal(chat):
    t = chat(CHAT, "-n", "8", term="dumb")
    started(t)
    t.say("hello")
    t.send("\x04")
    assert t.end() == 0
    shown = t.raw.decode(errors="replace").replace("\x1b[K", "")
    assert "\x1b" not in shown


def test_an_answer_cannot_send_commands_to_the_terminal(chat):
    t = chat(BASE, "-p", "x", "--force-tokens", ",".join(str(escape_token()) for _ in range(4)), "-n", "4")
    assert t.end() == 0
    assert "\\x1b" in t.text and b"\x1b" not in t.raw.replace(b"\x1b[K", b"")


def escape_token():
    import gguf

    tokens = gguf.GGUFReader(BASE).fields["tokenizer.ggml.tokens"].contents()
    return tokens.index("ě")  # GPT-2's spelling of byte 0x1b
