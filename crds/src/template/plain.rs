//! Whether a template only puts its values into a text. Then its work is bounded by the template language's own limits:
//! no expression makes a value that holds another twice, and nothing is compared or copied whose size is not counted.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Filter, Spanned, Stmt};

/// Filters whose result is not larger than what they get, and whose work is counted.
const FILTERS: [&str; 18] = [
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "string",
    "trim",
    "upper",
];

/// Whether a template is plain. Most are: those of the built-in skills, and whatever has neither operators that make new
/// values, nor blocks that capture text, nor calls.
pub(super) fn is_plain(statement: &Stmt<'_>) -> bool {
    match statement {
        Stmt::Template(template) => all(&template.children),
        Stmt::EmitRaw(_) => true,
        Stmt::EmitExpr(emit) => expression(&emit.expr),
        Stmt::ForLoop(block) => {
            let parts = expression(&block.iter) && optional(block.filter_expr.as_ref());
            !block.recursive && parts && all(&block.body) && all(&block.else_body)
        }
        Stmt::IfCond(block) => expression(&block.expr) && all(&block.true_body) && all(&block.false_body),
        Stmt::WithBlock(block) => block.assignments.iter().all(|(_, value)| expression(value)) && all(&block.body),
        Stmt::Set(set) => expression(&set.expr),
        Stmt::SetBlock(_) | Stmt::AutoEscape(_) | Stmt::FilterBlock(_) | Stmt::Do(_) => false,
    }
}

fn all(statements: &[Stmt<'_>]) -> bool {
    statements.iter().all(is_plain)
}

fn optional(given: Option<&Expr<'_>>) -> bool {
    given.is_none_or(expression)
}

fn expression(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Var(_) | Expr::Const(_) => true,
        Expr::GetAttr(attribute) => expression(&attribute.expr),
        Expr::GetItem(item) => expression(&item.expr) && is_const(&item.subscript_expr),
        Expr::UnaryOp(operation) => expression(&operation.expr),
        Expr::BinOp(operation) => {
            let (left, right) = (&operation.left, &operation.right);
            expression(left) && expression(right) && is_plain_operator(operation.op, is_const(left) || is_const(right))
        }
        Expr::IfExpr(choice) => {
            expression(&choice.test_expr) && expression(&choice.true_expr) && optional(choice.false_expr.as_ref())
        }
        Expr::Filter(filter) => is_plain_filter(filter),
        Expr::Test(test) => expression(&test.expr) && constants(&test.args),
        Expr::List(list) => list.items.iter().all(is_const),
        Expr::Tuple(tuple) => tuple.items.iter().all(is_const),
        Expr::Map(map) => map.keys.iter().chain(&map.values).all(is_const),
        Expr::Slice(_) | Expr::Call(_) | Expr::Compare(_) => false,
    }
}

/// Texts are compared without being counted, unless one is as short as what is in the template.
fn is_plain_operator(operator: BinOpKind, with_a_constant: bool) -> bool {
    use BinOpKind::{Eq, Gt, Gte, In, Lt, Lte, Ne, ScAnd, ScOr};
    match operator {
        ScAnd | ScOr | In => true,
        Eq | Ne | Lt | Lte | Gt | Gte => with_a_constant,
        _ => false,
    }
}

fn is_plain_filter(filter: &Spanned<Filter<'_>>) -> bool {
    // The value of `default` takes the place of one that is not there.
    let takes_a_value = matches!(filter.name, "d" | "default");
    let arguments =
        if takes_a_value { filter.args.iter().all(|arg| expression(value(arg))) } else { constants(&filter.args) };
    FILTERS.contains(&filter.name) && optional(filter.expr.as_ref()) && arguments
}

fn constants(arguments: &[CallArg<'_>]) -> bool {
    arguments.iter().all(|argument| is_const(value(argument)))
}

fn value<'a>(argument: &'a CallArg<'a>) -> &'a Expr<'a> {
    let (CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value)) =
        argument;
    value
}

fn is_const(expr: &Expr<'_>) -> bool {
    matches!(expr, Expr::Const(_))
}

#[cfg(test)]
mod tests {
    use crate::{builtin::BuiltinPrompts, compile, template::Template};

    fn is_plain(text: &str) -> bool {
        Template::parse(text).expect(text).is_plain()
    }

    #[test]
    fn templates_that_only_fill_in_are_plain_those_of_the_built_in_skills_too() {
        for text in [
            "{{ args.a }} {{ previous }} {{ args.b | default('') | trim }} {{ files[0].path }}",
            "{% for f in files if f.path not in args.contents %}{{ loop.index }} {{ f.content or '' }}{% endfor %}",
            "{% set a = args.a | default({}) %}{% if a is defined and not a == 'x' %}{{ a | length }}{% endif %}",
            "{% for name, text in args.a | items %}{{ name if text else '-' }}{% else %}none{% endfor %}",
        ] {
            assert!(is_plain(text), "{text}");
        }
        let spec =
            serde_saphyr::from_str("upstream: {url: \"http://a\"}\nmodels: {local: {name: l}, claude: {name: c}}");
        let table = compile(&spec.expect("a spec"), &BuiltinPrompts::default()).expect("compiles");
        for skill in table.skills.values() {
            assert!(skill.stages.iter().all(|stage| stage.user.is_plain()), "{}", skill.name);
        }
    }

    #[test]
    fn what_makes_new_values_or_work_that_is_not_counted_is_not_plain() {
        for text in [
            "{% set a = [args, args] %}{{ a }}",
            "{{ (args, args) }}",
            "{{ {'a': args} }}",
            "{{ args.a ~ args.a }}",
            "{{ args.a + args.b }}",
            "{{ args.a * 9 }}",
            "{{ args.a[1:] }}",
            "{{ args.a | join(args.b) }}",
            "{{ args.a | replace('a', args.b) }}",
            "{{ args.a | indent(9) }}",
            "{{ args.a | list(args.b) }}",
            "{% set a %}{{ args }}{% endset %}{{ a }}",
            "{% filter upper %}a{% endfilter %}",
            "{% for a in range(9) %}a{% endfor %}",
            "{% for a in args.b recursive %}{{ loop(a) }}{% endfor %}",
            "{% if args.a == args.b %}a{% endif %}",
            "{% if args.a is eq args.b %}a{% endif %}",
            "{{ args[args.a] }}",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
