"""Writes jinja.json: templates that cover the language, and what jinja2 renders them to.

    python tests/goldens/make_jinja.py

Each case is {name, template, context, ok, text or error}; src/text/jinja/template_test.cc renders them all.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracles"))

import jinja_reference as reference

CONTEXT = {
    "s": "Hello World", "u": "Ünïcødé ß 你好 😀", "n": 7, "m": -3, "f": 2.5, "yes": True, "nil": None,
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "d": {"a": 1, "b": "two", "items": 3, "nested": {"x": [1, {"y": "z"}]}},
    "rows": [{"k": "x", "v": 2}, {"k": "Y", "v": 1}, {"k": "x", "v": 3}],
    "tree": [{"n": 1, "c": [{"n": 2, "c": []}, {"n": 3, "c": [{"n": 4, "c": []}]}]}],
    "messages": [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Hi"},
                 {"role": "assistant", "content": "Yes?", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.0}}}]}],
}

# One line is one template; \n stands for itself.
CASES = {
    "whitespace": [
        "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a {%- if yes -%} b {%- endif -%} c", "a\n  {%+ if yes %}\n b{% endif +%}\nc",
        "  {{ s }}  \n", "a \n {{- s -}} \n b", "{# c #}\nx", "x {#- c -#} y", "x\n\n{# c #}\n\n", "{% raw %} {{ x }} {% endraw %}",
        "{%- raw -%}  {% if %}  {%- endraw -%} z", "a\r\nb\rc\n", "{{ '}}' }}{{ '%}' }}", "{ { {%", "{{ {'a': {'b': 1}}['a']['b'] }}",
        "{% set x = 1 %}\n\n{% set y = 2 %}\n{{ x }}{{ y }}", "   {% for i in l %}   {{ i }}\n   {% endfor %}   ",
    ],
    "literals": [
        "{{ [1, 2.0, 'a', none, true, (1,), (), {}] }}", "{{ 1_000 + 0x1F + 0b11 + 0o17 }}", "{{ 1e3 }} {{ 1.5e-7 }} {{ 1e16 }} {{ 1e15 }}",
        "{{ 'a' 'b' \"c\" }}", "{{ 'tab\\t nl\\n q\\' u\\u00e9 x\\x41 \\U0001F600 \\q' }}", "{{ {'k': 'it\\'s', \"q\": '\"'} }}", "{{ -1 }} {{ +1 }} {{ not 1 }}",
        "{{ [u, 'é\\u200b\\x07'] }}", "{{ (1, 2) + (3,) }}", "{{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1/3 }}",
    ],
    "operators": [
        "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}", "{{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }}",
        "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}",
        "{{ 'a' ~ 1 ~ none ~ true ~ 1.0 }}", "{{ 'ab' * 3 }} {{ [1] * 2 }} {{ 'a' + 'b' }} {{ [1] + [2] }}", "{{ 1 in l }} {{ 9 not in l }} {{ 'ell' in s }} {{ 'a' in d }}",
        "{{ 1 and 0 or 'x' }} {{ '' or 'y' }} {{ not '' }}", "{{ 'yes' if n > 5 else 'no' }} {{ 'yes' if n > 9 }}|", "{{ '%s-%05.2f-%x-%r' % (s, f, 255, 'q') }}",
        "{{ '%(a)d %(b)s %%' % d }}", "{{ 1 + 'a' }}", "{{ 1 // 0 }}", "{{ none + 1 }}", "{{ 'a' < 1 }}", "{{ 'x' in 5 }}", "{{ l is sequence and n is odd }}",
    ],
    "access": [
        "{{ d.a }} {{ d['b'] }} {{ d.nested.x[1].y }} {{ l[-1] }} {{ s[0] }} {{ u[-1] }}", "{{ d.missing }}|{{ l[9] }}|{{ d['q'] }}|{{ s.nope }}|{{ nil.x }}|",
        "{{ d.missing.more }}", "{{ undef.x }}", "{{ undef }}|{{ undef is defined }}|{{ undef or 1 }}|{{ undef == missing }}", "{{ d.items()|list }}", "{{ d['items'] }}",
        "{{ l[1:] }} {{ l[::-1] }} {{ s[2:7:2] }} {{ u[-3:] }} {{ (1,2,3)[:2] }} {{ s[::-1] }}", "{{ l.append(4) }}", "{{ d.pop('a') }}", "{{ d.__class__ }}|", "{{ d.__class__.__name__ }}",
        "{{ range(5)[1:3] }} {{ range(3) }} {{ range(10)[-1] }} {{ range(0, 10, 3)|list }}", "{{ l.0 }} {{ 'abc'.1 }}", "{{ undef + 1 }}", "{{ undef() }}",
    ],
    "loops": [
        "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
        "{% for x in [] %}a{% else %}empty{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for x in l if x > 1 %}{{ x }}/{{ loop.length }} {% endfor %}",
        "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}",
        "{% for t in tree recursive %}{{ loop.depth }}:{{ t.n }}{% if t.c %}({{ loop(t.c) }}){% endif %}{% endfor %}", "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
        "{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(t=0) %}{% for i in l %}{% set ns.t = ns.t + i %}{% endfor %}{{ ns.t }}",
        "{% for c in u %}{{ c }}.{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for x in 5 %}{% endfor %}",
        "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}", "{% for x in undef %}a{% else %}b{% endfor %}", "{% for x in l %}{{ l2 }}{% endfor %}{% set l2 = 1 %}",
    ],
    "macros": [
        "{% macro m(a, b=2, *c) %}{% endmacro %}", "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }} {% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, b=4) }}{{ m(1, 2, 3, x=5) }}{{ m() }}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}",
        "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a + b }}{% endcall %}", "{% macro fib(n) %}{% if n < 2 %}{{ n }}{% else %}{{ fib(n - 1)|int + fib(n - 2)|int }}{% endif %}{% endmacro %}{{ fib(9) }}",
        "{% macro m() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m() }}", "{{ m() }}{% macro m() %}a{% endmacro %}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m.name }} {{ m.arguments }}",
    ],
    "blocks": [
        "{% set x %}a{{ n }}b{% endset %}{{ x|upper }}", "{% set x | upper | trim %} abc {% endset %}[{{ x }}]", "{% filter upper %}abc{{ s }}{% endfilter %}", "{% with a = 1, b = n %}{{ a + b }}{% endwith %}{{ a }}",
        "{% generation %}out{{ n }}{% endgeneration %}!", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set ns = namespace({'q': 1}, r=2) %}{{ ns.q }}{{ ns.r }}{{ ns['q'] }}{{ ns.z }}|", "{% set d.a = 1 %}",
        "{% block b %}in {{ n }}{% endblock %}", "{% if nil %}a{% elif n %}b{% else %}c{% endif %}", "{% print(s, n) %}", "{% include 'x' %}", "{% if false %}{% include 'x' %}{% endif %}ok",
    ],
    "filters": [
        "{{ s|upper }}{{ s|lower }}{{ s|title }}{{ s|capitalize }}{{ ' x '|trim }}{{ 'xxax'|trim('x') }}", "{{ 'straße ǆ İ ΑΣ'|upper }} {{ 'İ ΑΣ'|lower }} {{ 'ﬁn ǆa'|title }}", "{{ d|tojson }} {{ u|tojson }} {{ '<a>&\\n\\x01'|tojson }}",
        "{{ d|tojson(indent=2) }}", "{{ {'b': 1, 'a': [1, {}], 'c': []}|tojson(sort_keys=true, indent='--') }}", "{{ u|tojson(ensure_ascii=true) }} {{ d|tojson(separators=(',', ':')) }}", "{{ [1.0, 1e100, 0.1, none, true]|tojson }}",
        "{{ l|sort }} {{ w|sort }} {{ w|sort(case_sensitive=true, reverse=true) }} {{ rows|sort(attribute='k,v')|map(attribute='v')|list }}", "{{ l|join(', ') }} {{ rows|join('+', attribute='v') }}", "{{ rows|map(attribute='q', default=0)|list }}",
        "{{ rows|selectattr('v', 'gt', 1)|list|length }} {{ rows|rejectattr('k', 'eq', 'x')|list }} {{ l|select('odd')|list }} {{ l|reject('in', [1])|list }}", "{{ rows|groupby('k') }}", "{% for g in rows|groupby('k') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}",
        "{{ undef|default('D') }} {{ ''|default('D', true) }} {{ nil|d(1) }}", "{{ '42'|int }} {{ 'x'|int(5) }} {{ '0x1f'|int(base=16) }} {{ '3.9'|int }} {{ 3.9|int }} {{ '2.5'|float }} {{ 'x'|float }}", "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42|round }} {{ 2.1|round(0, 'ceil') }} {{ 1234|round(-2) }}",
        "{{ l|sum }} {{ rows|sum(attribute='v', start=10) }} {{ l|min }} {{ l|max }} {{ w|max }} {{ rows|min(attribute='v') }} {{ []|min }}|", "{{ l|batch(2)|list }} {{ l|batch(2, 0)|list }} {{ [1,2,3,4,5]|slice(2)|list }}", "{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent('> ', blank=true) }}",
        "{{ s|replace('l', 'L') }} {{ s|replace('l', 'L', 1) }} {{ 'foo bar baz'|truncate(9) }} {{ 'foo bar baz qux'|truncate(9, true, '~', 0) }}", "{{ s|reverse }} {{ l|reverse|list }} {{ u|length }} {{ d|length }} {{ s|first }}{{ s|last }} {{ []|first }}|", "{{ w|unique|list }} {{ [1, 1.0, true, 2]|unique|list }}",
        "{{ d|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }} {{ d|items|list|length }}", "{{ '%s %s'|format(1, 'a') }} {{ 'x'|center(5) }}| {{ 'a b  c'|wordcount }} {{ 'a b/ü&'|urlencode }} {{ {'a b': 'c&d'}|urlencode }}", "{{ '<a href=\"x\">'|e }} {{ ('<b>'|safe) + '<i>' }} {{ 12345678|filesizeformat }} {{ -5|abs }}",
        "{{ l|bogus }}", "{% if false %}{{ l|bogus }}{% endif %}ok", "{{ l|sort(foo=1) }}", "{{ (l|map('upper'))|length }}", "{{ l|join|string|list }} {{ l|attr('x') }}|", "{{ 5|tojson }}{{ undef|tojson }}",
    ],
    "tests": [
        "{% for v in [1, 1.0, 'a', none, true, [], {}, (1,), range(2)] %}{{ v is string }}{{ v is number }}{{ v is integer }}{{ v is float }}{{ v is boolean }}{{ v is mapping }}{{ v is sequence }}{{ v is iterable }}{{ v is none }} {% endfor %}",
        "{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 'A' is upper }} {{ 'a' is lower }} {{ 1 is in [1] }} {{ 1 is eq 1 }} {{ none is sameas none }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ range is callable }} {{ 2 is not gt(3) }}", "{{ 1 is bogus }}", "{{ n is defined is defined }}",
    ],
    "methods": [
        "{{ ' a b '.strip() }}|{{ ' a'.lstrip() }}|{{ 'xax'.rstrip('x') }}|{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split() }}{{ 'a b c'.rsplit(' ', 1) }}", "{{ s.startswith('He') }}{{ s.endswith(('x', 'ld')) }}{{ s.find('o') }}{{ s.rfind('o') }}{{ s.count('l') }}{{ s.index('W') }}", "{{ s.replace('l', '') }} {{ s.upper() }} {{ s.lower() }} {{ 'ab cd'.title() }} {{ 'aB'.swapcase() }} {{ 'éA'.capitalize() }}",
        "{{ ','.join(['a', 'b']) }} {{ ','.join([1]) }}", "{{ '{} {:>5} {0}'.format(1, 2) }}", "{{ '{} {:>5}|{:^7}|{:05.1f}|{!r}|{:,}'.format(1, 'a', 'mid', f, 'q', 1234567) }}", "{{ '{a} {b[x]}'.format(a=1, b={'x': 2}) }}", "{{ d.get('a') }}{{ d.get('z') }}{{ d.get('z', 9) }}{{ d.keys() }}{{ d.values()|list|length }}", "{{ 'a\\nb\\r\\nc'.splitlines() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ 'a1'.isalnum() }}",
        "{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'a.b'.partition('.') }} {{ '7'.zfill(3) }} {{ 'a'.ljust(3, '.') }}{{ 'a'.rjust(3, '.') }}", "{{ l.index(2) }} {{ l.count(1) }} {{ l.index(9) }}",
    ],
    "globals": ["{{ raise_exception('bad ' ~ s) }}", "a\nb\n{{ raise_exception('third line') }}", "{{ strftime_now('%Y-%m-%d %H:%M %%') }}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict(d, a=9).a }}", "{{ range(100001) }}", "{{ namespace(_x=1) }}"],
    "syntax_errors": ["{{ a b }}", "{% if %}", "{% if x %}", "{% endif %}", "{{ 'open }}", "{% for x %}{% endfor %}", "{% bogus %}", "{{ (1 }}", "{# open", "{% raw %}", "{{ 1 +}}", "{{ a.1.b c }}", "{% set 1 = 2 %}", "{% break %}", "{{ }}", "{% macro m(a=1, b) %}{% endmacro %}", "a\n\n{% else %}", "{{ f(a=1, a=2) }}", "{{ x | }}"],
    "chat": [
        "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content|trim + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        "{%- for m in messages %}\n    {%- if m.role == 'system' and not loop.first %}\n        {{- raise_exception('late') }}\n    {%- endif %}\n    {{- '[' ~ m['role'] ~ ']' }}\n    {%- for c in m.tool_calls %}\n        {{- c.function.name ~ c.function.arguments | tojson }}\n    {%- endfor %}\n{%- endfor %}",
        "{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set rest = messages[1:] %}{% endif %}{{ sys }}{% for m in rest %}{{ loop.index0 % 2 == 0 }}{{ m.content }}{% endfor %}",
    ],
}


def main():
    cases = []
    for group, templates in CASES.items():
        for i, template in enumerate(templates):
            ok, text = reference.render(template, CONTEXT)
            case = {"name": f"{group}_{i}", "template": template, "ok": ok}
            if ok:
                case["text"] = text
            elif text.startswith("TemplateError: "):
                case["error"] = text.removeprefix("TemplateError: ")
            cases.append(case)
    out = {"context": CONTEXT, "cases": cases}
    (HERE / "jinja.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")
    print(f"{len(cases)} cases, {sum(not c['ok'] for c in cases)} of them errors")


if __name__ == "__main__":
    main()
