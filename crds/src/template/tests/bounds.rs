//! A template of any kind and size is compiled or refused, on the stack of an async worker.

use std::thread;

use super::*;

/// The stack of a worker of tokio.
const STACK: usize = 2 * 1024 * 1024;
/// Longest template of a policy.
const TEXT_MAX: usize = crate::policy::upstream::TEXT_MAX;

/// Every operator, postfix, bracket and block of the template language: a start, a link that is repeated, and an end.
/// Policies of them are sent to the programs, too.
fn chains() -> Vec<[String; 3]> {
    serde_json::from_str(include_str!("chains.json")).expect("JSON")
}

/// Every block of the template language: its start and its end.
const BLOCKS: [(&str, &str); 8] = [
    ("{% for a in [1] %}", "{% endfor %}"),
    ("{% for a in [] %}{% else %}", "{% endfor %}"),
    ("{% if 1 %}", "{% endif %}"),
    ("{% if 0 %}{% else %}", "{% endif %}"),
    ("{% with a = 1 %}", "{% endwith %}"),
    ("{% autoescape false %}", "{% endautoescape %}"),
    ("{% filter e %}", "{% endfilter %}"),
    ("{% set a %}", "{% endset %}"),
];

fn on_a_workers_stack(work: impl FnOnce() + Send + 'static) {
    let worker = thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    worker.join().expect("every template is an answer");
}

/// Parses the template, and renders it if it is one.
fn result(text: &str) -> Result<(), String> {
    let template = Template::parse(text).map_err(|errors| errors[0].to_string())?;
    let args = json!({"a": {"a": 1}}).as_object().expect("object").clone();
    // Whether it can be rendered does not matter, only that there is an answer.
    let _ = crate::template::render(
        template.text(),
        &TemplateInput { args: &args, previous: None, files: &[], session: &[] },
    );
    Ok(())
}

fn is_refused_by_its_bound(text: &str, bound: &str) -> bool {
    result(text).is_err_and(|error| error.contains(&format!("more than {bound}")))
}

/// What a call returns cannot be called, which is another refusal.
fn is_about_calls(answer: &Result<(), String>) -> bool {
    answer.as_ref().is_err_and(|error| error.contains("cannot be called"))
}

#[test]
fn a_chain_of_any_operator_compiles_within_the_bound_and_is_refused_beyond() {
    on_a_workers_stack(|| {
        let bound = format!("{OPERATORS_MAX} operators");
        for [start, link, end] in chains() {
            let chain = |links: usize| format!("{start}{}{end}", link.repeat(links));
            let refused = |links: usize| is_refused_by_its_bound(&chain(links), &bound);
            let first = (1..=OPERATORS_MAX + 1).find(|links| refused(*links)).expect(&link);
            assert!(first > OPERATORS_MAX / 5, "{link}: refused from {first} on");
            let answer = result(&chain(first - 1));
            assert!(answer.is_ok() || is_about_calls(&answer), "{link}: {answer:?}");
            let longest = (TEXT_MAX - start.len() - end.len()) / link.len();
            for links in [first + 1, 1000, 2000, longest] {
                assert!(refused(links), "{links} of {link}");
            }
        }
    });
}

#[test]
fn blocks_of_any_kind_compile_within_the_bound_and_are_refused_beyond() {
    on_a_workers_stack(|| {
        let bound = format!("{BLOCKS_MAX} blocks");
        for (start, end) in BLOCKS {
            let nested = |blocks: usize| format!("{}a{}", start.repeat(blocks), end.repeat(blocks));
            assert_eq!(result(&nested(BLOCKS_MAX)), Ok(()), "{start}");
            assert_eq!(result(&nested(1).repeat(200)), Ok(()), "{start} in a row");
            for blocks in [BLOCKS_MAX + 1, 1000, TEXT_MAX / (start.len() + end.len())] {
                assert!(is_refused_by_its_bound(&nested(blocks), &bound), "{blocks} of {start}");
            }
            let open = start.repeat(TEXT_MAX / start.len());
            assert!(is_refused_by_its_bound(&open, &bound), "{start} without an end");
        }
        let branches = |count: usize| format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(count));
        assert_eq!(result(&branches(BLOCKS_MAX - 1)), Ok(()));
        assert!(is_refused_by_its_bound(&branches(BLOCKS_MAX), &bound));
        assert!(is_refused_by_its_bound(&branches(5000), &bound));
    });
}

#[test]
fn the_largest_expression_in_the_deepest_block_compiles() {
    let brackets = ("(".repeat(BRACKETS_MAX - 1), ")".repeat(BRACKETS_MAX - 1));
    on_a_workers_stack(move || {
        for (start, end) in BLOCKS {
            for [first, link, last] in chains().iter().filter(|[first, ..]| first.starts_with("{{")) {
                let chain =
                    format!("{}{}", first.trim_start_matches("{{"), link.repeat((OPERATORS_MAX - BRACKETS_MAX) / 5));
                let inner = format!("{{{{ {}{chain}{}{}", brackets.0, last.trim_end_matches("}}"), brackets.1);
                let text = format!("{}{inner} }}}}{}", start.repeat(BLOCKS_MAX), end.repeat(BLOCKS_MAX));
                let answer = result(&text);
                assert!(answer.is_ok() || is_about_calls(&answer), "{start} {link}: {answer:?}");
            }
        }
    });
}

#[test]
fn brackets_of_any_kind_compile_within_the_bound_and_are_refused_beyond() {
    let kinds = [("(", ")"), ("[", "]"), ("{1:", "}"), ("(1,", ")"), ("args[", "]"), ("range(", ")"), ("1|d(", ")")];
    on_a_workers_stack(move || {
        let bound = format!("{BRACKETS_MAX} brackets");
        for (start, end) in kinds {
            let nested = |depth: usize| format!("{{{{ {}1{} }}}}", start.repeat(depth), end.repeat(depth));
            assert_eq!(result(&nested(BRACKETS_MAX)), Ok(()), "{start}");
            for depth in [BRACKETS_MAX + 1, 1000, TEXT_MAX / (start.len() + end.len()) - 4] {
                assert!(is_refused_by_its_bound(&nested(depth), &bound), "{depth} of {start}");
            }
            let open = start.repeat(TEXT_MAX / start.len());
            assert!(is_refused_by_its_bound(&format!("{{{{ {open}"), &bound), "{start} without an end");
        }
        for tag in ["{% for §a in 1 %}", "{% set §a = 1 %}", "{% with §a = 1 %}"] {
            assert!(is_refused_by_its_bound(&tag.replace('§', &"(".repeat(1000)), &bound), "{tag}");
        }
    });
}

#[test]
fn values_that_wrap_each_other_are_bounded_for_the_whole_template() {
    let links = ["{%set a=[a]%}", "{%set a={1:a}%}", "{%set a=(a,)%}", "{%set a=a|list%}", "{%set a=[[[[a]]]]%}"];
    on_a_workers_stack(move || {
        let bound = format!("{TEMPLATE_OPERATORS_MAX} operators");
        for link in links {
            let operators = link.matches(['[', '{', '(', '|']).count() - 1;
            let count = TEMPLATE_OPERATORS_MAX / operators;
            let text = |count: usize, end: &str| format!("{{%set a=1%}}{}{end}", link.repeat(count));
            for end in ["", "{{ a }}", "{{ a == a }}"] {
                assert_eq!(result(&text(count.saturating_sub(1), end)), Ok(()), "{link}{end}");
            }
            assert!(is_refused_by_its_bound(&text(count + 1, ""), &bound), "{link}");
        }
    });
}

#[test]
fn a_namespace_which_can_hold_itself_is_refused() {
    for text in ["{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "{{ namespace(a=1).a }}"] {
        let error = result(text).expect_err("refused");
        assert!(error.contains("unknown function namespace; "), "{error}");
    }
    assert!(Template::parse("{{ namespace }}").expect("parses").unknown_variables(false, None).len() == 1);
}
