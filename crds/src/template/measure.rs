//! How large the expressions of a template are, and how deep its blocks: read from its tokens, before it is parsed.
//!
//! The parser, the compiler and the destructor of its tree recurse once per operator, postfix, bracket and block. They
//! cannot report that the stack is used up: the process would end. So what is too large never reaches them. The tokens
//! are those of the template language itself, read one after the other.

use minijinja::{
    machinery::{Span, Token, Tokenizer},
    syntax::SyntaxConfig,
};

use super::{NAME, TemplateError, syntax};

/// Most operators, postfixes (`.name`, `[…]`, `(…)`, `|filter`, `is test`) and brackets in one `{{ … }}` or `{% … %}`.
pub const OPERATORS_MAX: usize = 256;
/// Most of them in a whole template: each `{% set %}` can wrap the value of the one before it.
pub const TEMPLATE_OPERATORS_MAX: usize = 1024;
/// Most brackets that are open at the same place: to the parser each is a dozen calls deep.
pub const BRACKETS_MAX: usize = 16;
/// Most blocks that are open at the same place; each `elif` counts as a block within the one before it.
pub const BLOCKS_MAX: usize = 64;

/// Words that are operators.
const OPERATORS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", "elif"];
/// Statements that end at a statement of their own.
const BLOCKS: [&str; 8] = ["for", "if", "with", "autoescape", "filter", "block", "macro", "call"];

/// Checks a template against the bounds.
pub(super) fn check(text: &str, syntax_config: &SyntaxConfig) -> Result<(), TemplateError> {
    let mut tokens = Tokenizer::new(text, NAME, false, syntax_config.clone());
    let mut size = Size::default();
    while let Some((token, span)) = tokens.next_token().map_err(|e| syntax(&e))? {
        size.add(&token, span)?;
    }
    Ok(())
}

/// What was counted so far.
#[derive(Default)]
struct Size {
    /// Operators of the whole template.
    all: usize,
    /// Operators of the current tag.
    operators: usize,
    /// The statement of the current tag.
    statement: Option<String>,
    /// Whether the current tag assigns outside of brackets: `{% set a = 1 %}` opens no block, `{% set a %}` does.
    assigns: bool,
    /// Brackets that are open.
    brackets: usize,
    /// The open blocks, each with the number of its branches.
    blocks: Vec<usize>,
}

impl Size {
    fn add(&mut self, token: &Token<'_>, span: Span) -> Result<(), TemplateError> {
        match token {
            Token::VariableStart | Token::BlockStart => {
                (self.operators, self.statement, self.assigns, self.brackets) = (0, None, false, 0);
                if matches!(token, Token::BlockStart) {
                    self.statement = Some(String::new());
                }
            }
            Token::BlockEnd => return self.end_of_statement(span),
            Token::Ident(word) if self.statement.as_deref() == Some("") => self.statement = Some((*word).to_string()),
            Token::Ident(word) if !OPERATORS.contains(word) => {}
            Token::Assign => self.assigns |= self.brackets == 0,
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                self.brackets = self.brackets.saturating_sub(1);
            }
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                self.brackets += 1;
                return self.bracket(span);
            }
            Token::TemplateData(_) | Token::VariableEnd | Token::Comma | Token::Colon => {}
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            _ => return self.operator(span),
        }
        Ok(())
    }

    fn bracket(&mut self, span: Span) -> Result<(), TemplateError> {
        if self.brackets > BRACKETS_MAX {
            let reason = format!("more than {BRACKETS_MAX} brackets are open here");
            return Err(refused(span, reason, "split the expression: {% set part = … %} before it"));
        }
        self.operator(span)
    }

    fn operator(&mut self, span: Span) -> Result<(), TemplateError> {
        self.operators += 1;
        self.all += 1;
        if self.operators > OPERATORS_MAX {
            let reason = format!("a tag has more than {OPERATORS_MAX} operators, postfixes and brackets");
            return Err(refused(span, reason, "split it: {% set part = … %} before it"));
        }
        if self.all > TEMPLATE_OPERATORS_MAX {
            let reason =
                format!("the template has more than {TEMPLATE_OPERATORS_MAX} operators, postfixes and brackets");
            return Err(refused(span, reason, "write less of it as expressions, or use several stages"));
        }
        Ok(())
    }

    fn end_of_statement(&mut self, span: Span) -> Result<(), TemplateError> {
        let statement = self.statement.take().unwrap_or_default();
        match statement.as_str() {
            "elif" => self.blocks.last_mut().map_or((), |branches| *branches += 1),
            "set" if !self.assigns => self.blocks.push(1),
            word if BLOCKS.contains(&word) => self.blocks.push(1),
            word if word.starts_with("end") => drop(self.blocks.pop()),
            _ => {}
        }
        if self.blocks.iter().sum::<usize>() > BLOCKS_MAX {
            let reason = format!("more than {BLOCKS_MAX} blocks are open here, each elif counted as one");
            return Err(refused(span, reason, "end some of them before, or use several stages"));
        }
        Ok(())
    }
}

/// An error at a place of the template.
pub(super) fn refused(span: Span, reason: impl Into<String>, cure: impl Into<String>) -> TemplateError {
    TemplateError::Refused {
        line: usize::from(span.start_line),
        column: usize::from(span.start_col) + 1,
        reason: reason.into(),
        cure: cure.into(),
    }
}
