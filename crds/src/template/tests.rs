use serde_json::json;

use super::*;

fn render(text: &str, args: Value) -> Result<String, TemplateError> {
    let template = Template::parse(text).expect("parses");
    let args = args.as_object().expect("object").clone();
    super::render(template.text(), &TemplateInput { args: &args, previous: Some("before"), files: &[], session: &[] })
}

#[test]
fn fills_in_arguments_without_escaping() {
    assert_eq!(render("{{ args.a }} {{ previous }}", json!({"a": "<b> & \"c\""})), Ok("<b> & \"c\" before".into()));
}

#[test]
fn an_argument_is_text_and_never_a_template() {
    assert_eq!(render("{{ args.a }}", json!({"a": "{{ previous }}"})), Ok("{{ previous }}".into()));
}

#[test]
fn an_absent_argument_is_an_error_that_names_the_line_and_no_value() {
    let error = render("one\n{{ args.missing }}", json!({"secret": "canary"})).expect_err("strict");
    assert_eq!(error.to_string(), "line 2: a value is not defined; guard an optional one with {% if … is defined %}");
    assert_eq!(render("{% if args.missing is defined %}x{% endif %}", json!({})), Ok(String::new()));
}

#[test]
fn work_and_output_are_limited() {
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
    assert_eq!(render(endless, json!({})).expect_err("fuel").to_string(), "line 1: the template does too much work");
    let long = "{% for a in range(100) %}{{ args.a }}{% endfor %}";
    let error = render(long, json!({"a": "x".repeat(100_000)})).expect_err("output limit");
    assert_eq!(error.to_string(), "line 1: the prompt is longer than 4 MiB");
}

#[test]
fn a_syntax_error_names_its_line() {
    let error = Template::parse("one\n{% if %}").expect_err("no condition")[0].clone();
    assert!(error.to_string().starts_with("line 2: "), "{error}");
}

#[test]
fn unknown_variables_are_found_without_rendering() {
    let declared = BTreeSet::from(["commits".to_string()]);
    let unknown = |text: &str, first| {
        let template = Template::parse(text).expect("parses");
        template.unknown_variables(first, Some(&declared)).iter().map(TemplateError::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        unknown("{{ args.commits }}{% for f in files %}{{ f.path }}{{ loop.index }}{% endfor %}", true),
        Vec::<String>::new()
    );
    assert_eq!(
        unknown("{{ args.comits }}", true),
        ["unknown variable args.comits; inputSchema.properties declares: commits"]
    );
    let none = Template::parse("{{ args.n }}").expect("parses").unknown_variables(true, Some(&BTreeSet::new()));
    assert_eq!(none[0].to_string(), "unknown variable args.n; inputSchema declares no properties; add it there");
    assert_eq!(unknown("{{ arg }}", true), ["unknown variable arg; available: args, previous, files, session"]);
    assert_eq!(unknown("{{ previous }}", true), ["unknown variable previous; the first stage has no previous answer"]);
    assert_eq!(unknown("{{ previous }}", false), Vec::<String>::new());
}

mod bounds;

#[test]
fn what_takes_no_more_than_a_moment_is_rendered_at_once_and_with_the_same_result() {
    let args = json!({"a": "x", "many": vec![1; 1000]}).as_object().cloned().expect("an object");
    let input = TemplateInput { args: &args, previous: None, files: &[], session: &[] };
    let at_once = |text: &str| Template::parse(text).expect("a template").render_at_once(&input);
    assert_eq!(at_once("{{ args.a }}!"), Ok(Some("x!".into())));
    assert_eq!(at_once("{% for one in args.many %}{{ one }}{% endfor %}"), Ok(None));
    assert_eq!(at_once("{% filter upper %}{{ args.a }}{% endfilter %}"), Ok(None), "not plain");
    let wrong = "one\n{{ args.missing }}";
    assert_eq!(at_once(wrong).map(drop), super::render(wrong, &input).map(drop));
}
