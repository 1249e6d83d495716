//! The filters, tests and functions that a template may use. A name that does not exist would fail every call, so it is
//! found when the policy is compiled.

mod known;

use minijinja::machinery::{
    Span,
    ast::{Call, CallArg, Expr, Filter, Spanned, Stmt, Test},
};

use self::known::{FILTERS, FUNCTIONS, LOOP, LOOP_METHODS, METHODS, TESTS};
pub(super) use self::known::{REMOVED, is_function};
use super::{TemplateError, measure::refused};
use crate::nearest::nearest;

/// An error for each filter, test, function and method that does not exist, in the order of the template.
pub(super) fn unknown(template: &Stmt<'_>) -> Vec<TemplateError> {
    let mut found = Found::default();
    found.statement(template);
    found.0
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<TemplateError>);

impl Found {
    fn statements(&mut self, statements: &[Stmt<'_>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitRaw(_) => {}
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::ForLoop(block) => {
                self.expression(&block.iter);
                self.optional(block.filter_expr.as_ref());
                self.statements(&block.body);
                self.statements(&block.else_body);
            }
            Stmt::IfCond(block) => {
                self.expression(&block.expr);
                self.statements(&block.true_body);
                self.statements(&block.false_body);
            }
            Stmt::WithBlock(block) => {
                block.assignments.iter().for_each(|(_, value)| self.expression(value));
                self.statements(&block.body);
            }
            Stmt::Set(set) => {
                self.target(&set.target);
                self.expression(&set.expr);
            }
            Stmt::SetBlock(block) => {
                self.target(&block.target);
                self.optional(block.filter.as_ref());
                self.statements(&block.body);
            }
            Stmt::AutoEscape(block) => {
                self.expression(&block.enabled);
                self.statements(&block.body);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.statements(&block.body);
            }
            Stmt::Do(statement) => self.call(&statement.call),
        }
    }

    fn optional(&mut self, expression: Option<&Expr<'_>>) {
        expression.into_iter().for_each(|expression| self.expression(expression));
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().for_each(|bound| self.optional(bound.as_ref()));
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => {
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                compare.ops.iter().for_each(|operation| self.expression(&operation.expr));
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                self.optional(choice.false_expr.as_ref());
            }
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test),
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }

    fn filter(&mut self, filter: &Spanned<Filter<'_>>) {
        self.optional(filter.expr.as_ref());
        self.check("filter", filter.name, &FILTERS, filter.span());
        // These filters take the name of another one, or of a test, as text.
        match filter.name {
            "map" => self.named_by("filter", &FILTERS, filter.args.first()),
            "select" | "reject" => self.named_by("test", &TESTS, filter.args.first()),
            "selectattr" | "rejectattr" => self.named_by("test", &TESTS, filter.args.get(1)),
            _ => {}
        }
        self.arguments(&filter.args);
    }

    fn test(&mut self, test: &Spanned<Test<'_>>) {
        self.expression(&test.expr);
        self.check("test", test.name, &TESTS, test.span());
        self.arguments(&test.args);
    }

    fn call(&mut self, call: &Spanned<Call<'_>>) {
        match &call.expr {
            Expr::Var(variable) if is_function(variable.id) => {}
            Expr::Var(function) => self.check("function", function.id, &FUNCTIONS, function.span()),
            Expr::GetAttr(method) => {
                let of_loop = matches!(&method.expr, Expr::Var(variable) if variable.id == LOOP);
                if !(of_loop && LOOP_METHODS.contains(&method.name)) {
                    self.0.push(no_method(method.name, of_name(method.span(), method.name)));
                }
                self.expression(&method.expr);
            }
            other => {
                let cure = format!("only functions can: {}", FUNCTIONS.join(", "));
                self.0.push(refused(call.span(), "a value cannot be called", cure));
                self.expression(other);
            }
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            let (CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value)) = argument;
            self.expression(value);
        }
    }

    fn target(&mut self, target: &Expr<'_>) {
        match target {
            Expr::GetAttr(attribute) => {
                let reason = format!("the attribute {} cannot be set", attribute.name);
                self.0.push(refused(
                    of_name(attribute.span(), attribute.name),
                    reason,
                    "set a variable: {% set name = … %}",
                ));
            }
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.target(item)),
            _ => {}
        }
    }

    fn named_by(&mut self, kind: &str, known: &[&str], argument: Option<&CallArg<'_>>) {
        if let Some(CallArg::Pos(Expr::Const(constant))) = argument
            && let Some(name) = constant.value.as_str()
        {
            self.check(kind, name, known, constant.span());
        }
    }

    fn check(&mut self, kind: &str, name: &str, known: &[&str], span: Span) {
        if known.contains(&name) {
            return;
        }
        let cure = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("available: {}", known.join(", ")),
        };
        self.0.push(refused(span, format!("unknown {kind} {}", crate::shown::printable(name, NAME_SHOWN)), cure));
    }
}

/// The place of the name at the end of a span: that of an attribute begins with what the attribute is of.
fn of_name(span: Span, name: &str) -> Span {
    let length = u16::try_from(name.chars().count()).unwrap_or(u16::MAX);
    Span { start_line: span.end_line, start_col: span.end_col.saturating_sub(length), ..span }
}

/// Longest name that an error repeats, in characters.
const NAME_SHOWN: usize = 80;

fn no_method(name: &str, span: Span) -> TemplateError {
    let instead = METHODS.iter().find(|(method, _)| *method == name).map(|(_, instead)| format!("write {instead}"));
    let cure = instead.unwrap_or_else(|| "values have no methods; use a filter, such as | trim".to_string());
    refused(span, format!("unknown method {}", crate::shown::printable(name, NAME_SHOWN)), cure)
}

#[cfg(test)]
mod tests;
