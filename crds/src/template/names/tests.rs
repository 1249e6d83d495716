use minijinja::Environment;

use super::{super::Template, *};

fn errors(text: &str) -> Vec<String> {
    Template::parse(text).map_or_else(|errors| errors.iter().map(ToString::to_string).collect(), |_| vec![])
}

#[test]
fn every_known_name_exists_in_the_template_engine() {
    let environment = Environment::new();
    let holds = |expression: String| {
        environment.compile_expression_owned(expression).and_then(|e| e.eval(())).is_ok_and(|value| value.is_true())
    };
    for filter in FILTERS {
        assert!(holds(format!("'{filter}' is filter")), "{filter}");
    }
    for test in TESTS {
        assert!(holds(format!("'{test}' is test")), "{test}");
    }
    let functions: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    assert!(functions.iter().all(|name| FUNCTIONS.contains(name) || REMOVED.contains(name)), "{functions:?}");
}

#[test]
fn an_unknown_filter_test_function_or_method_is_refused_with_name_place_and_cure() {
    for (text, error) in [
        ("one\n{{ args.x | uper }}", "line 2, column 13: unknown filter uper; did you mean upper?"),
        ("{% if args.x is strng %}a{% endif %}", "line 1, column 17: unknown test strng; did you mean string?"),
        ("{{ args.x.strip() }}", "line 1, column 11: unknown method strip; write | trim"),
        (
            "{{ args.x.strips() }}",
            "line 1, column 11: unknown method strips; values have no methods; use a filter, such as | trim",
        ),
        ("{{ rnge(3) }}", "line 1, column 4: unknown function rnge; did you mean range?"),
        ("{{ now() }}", "line 1, column 4: unknown function now; available: range, dict"),
        ("{{ args['x']() }}", "line 1, column 8: a value cannot be called; only functions can: range, dict"),
        ("{{ files | map('uper') }}", "line 1, column 16: unknown filter uper; did you mean upper?"),
        ("{{ files | select('strng') }}", "line 1, column 19: unknown test strng; did you mean string?"),
        ("{{ files | rejectattr('a', 'strng') }}", "line 1, column 28: unknown test strng; did you mean string?"),
        ("{% filter uper %}a{% endfilter %}", "line 1, column 11: unknown filter uper; did you mean upper?"),
        ("{% set a | uper %}a{% endset %}", "line 1, column 12: unknown filter uper; did you mean upper?"),
        ("{% set a.b = 1 %}", "line 1, column 10: the attribute b cannot be set; set a variable: {% set name = … %}"),
    ] {
        assert_eq!(errors(text), [error], "{text}");
    }
}

#[test]
fn an_unknown_name_is_found_wherever_an_expression_can_be() {
    let bad = "(1 | uper)";
    for place in [
        "{{ § }}",
        "{{ [§] }}",
        "{{ (§, 1) }}",
        "{{ {1: §, 2: 3} }}",
        "{{ {§: 1} }}",
        "{{ § ~ 1 }}",
        "{{ 1 ~ § }}",
        "{{ 1 < § < 3 }}",
        "{{ not § }}",
        "{{ -§ }}",
        "{{ §.a }}",
        "{{ §[0] }}",
        "{{ args[§] }}",
        "{{ args[§:] }}",
        "{{ args[:§] }}",
        "{{ args[::§] }}",
        "{{ § if 1 }}",
        "{{ 1 if § else 2 }}",
        "{{ 1 if 2 else § }}",
        "{{ § | upper }}",
        "{{ 1 | default(§) }}",
        "{{ 1 | default(value=§) }}",
        "{{ range(*§) }}",
        "{{ dict(**§) }}",
        "{{ § is odd }}",
        "{{ 1 is divisibleby(§) }}",
        "{% for a in § %}{% endfor %}",
        "{% for a in args if § %}{% endfor %}",
        "{% for a in args %}{{ § }}{% else %}{% endfor %}",
        "{% for a in args %}{% else %}{{ § }}{% endfor %}",
        "{% if § %}{% endif %}",
        "{% if 1 %}{{ § }}{% endif %}",
        "{% if 1 %}{% elif § %}{% endif %}",
        "{% if 1 %}{% else %}{{ § }}{% endif %}",
        "{% with a = § %}{% endwith %}",
        "{% with a = 1 %}{{ § }}{% endwith %}",
        "{% set a = § %}",
        "{% set a %}{{ § }}{% endset %}",
        "{% autoescape § %}{% endautoescape %}",
        "{% autoescape false %}{{ § }}{% endautoescape %}",
        "{% filter upper %}{{ § }}{% endfilter %}",
        "{% filter default(§) %}{% endfilter %}",
        "{% do range(§) %}",
    ] {
        let found = errors(&place.replace('§', bad));
        assert_eq!(found.len(), 1, "{place}: {found:?}");
        assert!(found[0].contains("unknown filter uper"), "{place}: {found:?}");
    }
}

#[test]
fn every_unknown_name_of_a_template_is_named_at_once() {
    assert_eq!(errors("{{ args.x | uper }}{{ args.y | lowr | trm }}").len(), 3);
}

#[test]
fn what_templates_have_is_accepted() {
    for text in [
        "{{ range(3) | join(', ') }}{{ dict(a=1).a }}",
        "{% for a in files recursive %}{{ loop(a) }}{{ loop.cycle(1, 2) }}{{ loop.changed(a) }}{{ loop.index }}{% endfor %}",
        "{{ files | map(attribute='path') | select('string') | map('upper') | list }}",
        "{{ files | selectattr('error') | rejectattr('path', 'eq', 'x') | length }}",
        "{{ 1 is divisibleby 2 }}{{ 'upper' is filter }}",
    ] {
        assert_eq!(errors(text), Vec::<String>::new(), "{text}");
    }
}
