"""Random small templates, ours against jinja2: equal bytes, or an error on both sides.

    python tests/oracles/jinja_differential.py build/release/bin/jinja_render [CASES] [SEED]

The grammar stays away from what is different on purpose: integers beyond 64 bits, complex numbers, printed addresses of objects
(generators, bound methods), filters that are not supported.
"""

import random
import re
import sys
import warnings

import jinja_reference as reference

CONTEXT = {
    "s": "Hello World", "t": "  äÖß x\ny  ", "e": "", "u": "a,b,,c", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.1,
    "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "mix": [1, "x", None, 2.0, [1]],
    "d": {"a": 1, "b": "two", "items": 3, "c d": None}, "o": {}, "r": [],
    "rows": [{"k": "x", "v": 2, "in": {"z": [1, 2]}}, {"k": "Y", "v": 1}, {"k": "x", "v": 3, "in": {}}],
    "deep": {"x": {"y": [{"z": "end"}]}},
}
NAMES = list(CONTEXT) + ["undef", "loop", "x", "y", "ns"]
ATTRS = ["a", "b", "k", "v", "in", "x", "y", "items", "keys", "foo", "upper", "pop", "append", "__class__", "_x", "z"]
STRINGS = ["'a'", '"b c"', "''", "'l'", "'x\\ny'", "'%s'", "'é'", "' '", "','", "'k'", "'Hello'", "'{}-{}'", "'1'", "'2.5'"]
NUMBERS = ["0", "1", "2", "-1", "3", "10", "1.5", "-2.0", "1e3", "0.1", "1_000"]
FILTERS = ["abs", "capitalize", "center(9)", "count", "default('D')", "default('D', true)", "d(1)", "dictsort", "e", "first",
           "float", "float(1.5)", "format(1)", "indent", "indent(2, true)", "indent(1, blank=true)", "int", "int(5)", "items",
           "join", "join('-')", "join(', ', attribute='k')", "last", "length", "list", "lower", "max", "min", "max(attribute='v')",
           "replace('l', 'L')", "replace('', '-', 2)", "reverse", "round", "round(1)", "round(1, 'ceil')", "round(0, 'floor')",
           "safe", "sort", "sort(reverse=true)", "sort(attribute='v')", "sort(attribute='k,v')", "sort(case_sensitive=true)",
           "string", "sum", "sum(attribute='v')", "sum(start=1)", "title", "tojson", "tojson(indent=2)",
           "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "trim", "trim('Hx')",
           "truncate(5)", "truncate(5, true, '~', 0)", "unique", "upper", "urlencode", "map('upper')",
           "map(attribute='k')", "map(attribute='q', default='-')", "map('default', 3)", "select", "select('odd')", "reject('string')",
           "select('in', [1, 2])", "selectattr('v')", "selectattr('v', 'gt', 1)", "rejectattr('in', 'defined')",
           "selectattr('k', 'equalto', 'x')", "groupby('k')", "batch(2)", "batch(2, '-')", "slice(2)", "attr('a')",
           "filesizeformat", "escape", "list|length", "list|tojson", "map('int')", "map('trim')|join"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable",
         "callable", "odd", "even", "true", "false", "lower", "upper", "divisibleby 2", "divisibleby(3)", "in [1, 2, 'a']",
         "in l", "eq 1", "equalto 'a'", "ne 2", "gt 1", "lt(2)", "ge 0", "le 3", "sameas none", "sameas true", "escaped", "filter", "test"]
METHODS = ["upper()", "lower()", "strip()", "lstrip()", "rstrip('d ')", "split()", "split(',')", "split(',', 1)", "rsplit(' ', 1)",
           "title()", "capitalize()", "replace('l', '1')", "replace('l', '1', 1)", "startswith('He')", "endswith(('d', 'x'))",
           "find('o')", "rfind('o')", "index('l')", "count('l')", "join(['a', 'b'])", "join(w)", "format(1, 2)", "isdigit()", "isalpha()",
           "splitlines()", "splitlines(true)", "removeprefix('He')", "removesuffix('ld')", "partition(' ')", "rpartition('o')",
           "zfill(14)", "center(15, '*')", "ljust(13)", "rjust(13, '.')", "swapcase()", "isspace()", "isupper()", "istitle()", "get('a')",
           "get('q', 9)", "keys()|list", "values()|list", "items()|list", "keys()", "items()", "copy()", "count(1)", "index(1)", "expandtabs(2)",
           "append(1)", "pop('a')", "update({})", "encode", "isalnum()", "casefold()", "strip(none)", "split(none, 1)"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, options):
        return self.r.choice(options)

    def expr(self, depth=3):
        if depth <= 0 or self.r.random() < 0.15:
            return self.atom()
        kind = self.r.randrange(16)
        sub = lambda: self.expr(depth - 1)
        if kind <= 2:
            return f"{sub()} {self.pick(BINARY)} {sub()}"
        if kind <= 4:
            return f"{self.operand(depth)}|{self.pick(FILTERS)}"
        if kind == 5:
            return f"{self.operand(depth)} is {self.pick(['', 'not '])}{self.pick(TESTS)}"
        if kind == 6:
            return f"{self.operand(depth)}.{self.pick(ATTRS)}"
        if kind == 7:
            return f"{self.operand(depth)}[{self.pick([sub(), self.pick(NUMBERS), self.pick(STRINGS)])}]"
        if kind == 8:
            bound = lambda: self.pick(["", "", self.pick(["0", "1", "2", "-1", "-2", "5", "none"])])
            return f"{self.sliceable(depth)}[{bound()}:{bound()}{self.pick(['', ':' + self.pick(['2', '-1', '']) ])}]"
        if kind == 9:
            return f"{self.operand(depth)}.{self.pick(METHODS)}"
        if kind == 10:
            return f"({sub()} if {sub()}" + (f" else {sub()})" if self.r.random() < 0.8 else ")")
        if kind == 11:
            return self.pick(["not ", "-", "+"]) + self.operand(depth)
        if kind == 12:
            items = ", ".join(sub() for _ in range(self.r.randrange(4)))
            return self.pick([f"[{items}]", f"({items},)" if items else "()", f"[{items}]"])
        if kind == 13:
            return "{" + ", ".join(f"{self.pick(STRINGS + NUMBERS)}: {sub()}" for _ in range(self.r.randrange(3))) + "}"
        if kind == 14:
            return self.pick([f"range({self.pick(NUMBERS)})", f"range(1, {self.pick(NUMBERS)}, 2)|list", f"dict(a={sub()})",
                              f"'%s|%r|%5.2f' % ({sub()}, {sub()}, {sub()})", f"'{{}} {{!r:>8}}'.format({sub()}, {sub()})",
                              f"{self.pick(NUMBERS)} ** {self.pick(['0', '1', '2', '-1', '0.5'])}", f"'%-6s|%04d|%x' % ({sub()}, {self.atom()}, n)"])
        return f"{sub()} {self.pick(['<', '==', '!=', 'in'])} {sub()} {self.pick(['<', '>=', '=='])} {sub()}"

    # A slice of a literal is folded while jinja2 compiles, with other rules than when it runs.
    def sliceable(self, depth):
        return self.pick(["s", "t", "l", "w", "mix", "d", "nil", "n", "undef"]) if depth < 2 else f"(x, {self.expr(1)}, s)"

    def operand(self, depth):
        return self.atom() if self.r.random() < 0.5 else f"({self.expr(depth - 1)})"

    def atom(self):
        k = self.r.random()
        if k < 0.6:
            return self.pick(NAMES)
        return self.pick(STRINGS) if k < 0.8 else self.pick(NUMBERS) if k < 0.95 else self.pick(["true", "none", "[]", "{}"])

    def ws(self):
        return self.pick(["", "", "", "-", "-", "+"])

    def tag(self, text):
        return "{%" + self.ws() + " " + text + " " + self.ws() + "%}" + self.pick(["", "", "\n", " \n  ", " "])

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.r.randrange(1, 4)))

    def loop_attr(self):
        return self.pick(["index", "index0", "first", "last", "length", "revindex", "revindex0", "depth", "previtem", "nextitem",
                          "cycle('a', 'b')", "changed(x)", "foo", "depth0"])

    def statement(self, depth):
        k = self.r.randrange(20)
        if depth <= 0 or k < 3:
            return self.pick(["text", " a\n", "\n  ", "{{ " + self.expr(1) + " }}", "  {# c #}\n", "é", "{#- c -#} x", "{ {", "\n\n"])
        if k < 9:
            return "{{" + self.pick(["", "-"]) + " " + self.expr() + " " + self.pick(["", "-"]) + "}}" + self.pick(["", "\n"])
        inner = lambda: self.body(depth - 1)
        if k < 11:
            alternatives = self.pick(["", self.tag("else") + inner(), self.tag("elif " + self.expr(2)) + inner()])
            return self.tag("if " + self.expr(2)) + inner() + alternatives + self.tag("endif")
        if k < 14:
            target = self.pick(["x", "x", "x, y", "i"])
            source = self.pick(["l", "w", "rows", "d", "d.items()", "mix", "range(3)", "s", "r", "undef", self.expr(2),
                                "rows|selectattr('v')", "l|map('string')", "d|dictsort", "[(1, 2), (3, 4)]"])
            test = self.pick(["", "", " if " + self.expr(1)])
            extra = self.pick(["", "{{ loop." + self.loop_attr() + " }}", "{% if loop.index > 1 %}{% break %}{% endif %}",
                               "{% if x == 1 %}{% continue %}{% endif %}", "{{ x }},"])
            otherwise = self.pick(["", "", self.tag("else") + inner()])
            return self.tag(f"for {target} in {source}{test}") + extra + inner() + otherwise + self.tag("endfor")
        if k < 16:
            return self.tag(self.pick(["set x = ", "set y = ", "set n = ", "set x, y = ", "set ns.a = ", "set l = "]) + self.expr(2))
        if k == 16:
            return self.tag(self.pick(["set x", "set y | upper", "filter upper", "with x = " + self.expr(1), "generation"])) + inner() + "END"
        if k == 17:
            name = self.pick(["mac", "mac", "x"])
            call = self.pick([f"{name}(1)", f"{name}(1, y=2)", f"{name}()", f"{name}(1, 2, 3)", f"{name}(q=1)", f"{name}(x=s)"])
            extra = self.pick(["", "{{ caller() }}", "{{ varargs }}", "{{ kwargs }}", "{{ x }}{{ y }}"])
            use = self.pick(["{{ " + call + " }}", self.tag("call " + call) + inner() + self.tag("endcall")])
            return self.tag(f"macro {name}(x, y={self.expr(1)})") + extra + inner() + self.tag("endmacro") + use
        if k == 18:
            return "{% set ns = namespace(a=" + self.expr(1) + ") %}" + inner() + "{{ ns.a }}"
        return self.pick(["{% raw %}{{ x }}{% endraw %}\n", "{%- raw -%} {% if %} {%- endraw -%} z",
                          "{% for x in rows recursive %}{{ x.k }}{{ loop.depth }}{% if x.in %}{{ loop([]) }}{% endif %}{% endfor %}",
                          "{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.current }}", "{% set j = joiner('|') %}{{ j() }}{{ j() }}",
                          "{% block b %}" + inner() + "{% endblock %}", "{% print(s, n) %}", "{{ raise_exception('no: ' ~ s) }}"])

    def template(self, size):
        if size == 0:
            return "{{ " + self.expr(2) + " }}"
        text = self.body(size) if size > 1 else self.statement(1)
        # close the blocks that were opened with END by what they are
        out, stack = [], []
        for part in re.split(r"(END|\{%[-+]? (?:set [xy](?: \| upper)?|filter upper|with x = .*?|generation) [-+]?%\})", text):
            opened = re.match(r"\{%[-+]? (set|filter|with|generation)", part)
            if part == "END":
                out.append("{% end" + stack.pop() + " %}" if stack else "")
            else:
                if opened:
                    stack.append(opened.group(1))
                out.append(part)
        return "".join(out)


ADDRESS = re.compile(r"(?i) at 0x[0-9a-f]+|<(generator|function|built-in|bound|class|method|dict|list_rev|jinja2|chat|.*object)|Macro")


def comparable(expected, got):
    if expected[0] and ADDRESS.search(expected[1]):
        return False
    if not got[0] and ("64 bits" in got[1] or "64-bit" in got[1] or "complex" in got[1] or "not supported" in got[1]):
        return False
    return not (expected[0] and re.search(r"\d{19}|j\)", expected[1]))


def main():
    warnings.simplefilter("ignore")
    ours = reference.Renderer(sys.argv[1])
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    compared = errors = 0
    failed = []
    for i in range(cases):
        template = Generator(seed * 1_000_003 + i).template(i % 4)
        expected = reference.render(template, CONTEXT)
        got = ours.ask({"template": template, "context": CONTEXT})
        if not comparable(expected, got):
            continue
        compared += 1
        errors += not expected[0]
        if expected[0] != got[0] or (expected[0] and expected[1] != got[1]):
            failed.append((template, expected, got))
    ours.close()
    for template, expected, got in sorted(failed, key=lambda f: len(f[0]))[:15]:
        print(f"--- {template!r}\nexpected {expected!r}\ngot      {got!r}")
    print(f"{compared} templates compared, {errors} of them errors on both sides, {len(failed)} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
