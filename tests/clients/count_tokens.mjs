// Prints how many tokens a text has by Anthropic's own public tokenizer: MODULES=FOLDER node count_tokens.mjs < TEXT
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { countTokens } = createRequire(`${process.env.MODULES}/`)("@anthropic-ai/tokenizer");
console.log(countTokens(readFileSync(0, "utf8")));
