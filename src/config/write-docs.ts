/** Renews the table in docs/configuration.md: `node build/src/config/write-docs.js`, from the project's folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { settingsMarkdown } from './docs.js';

const path = 'docs/configuration.md';
const [begin, end] = ['<!-- settings: begin -->\n', '<!-- settings: end -->'];
const text = readFileSync(path, 'utf8');
const [from, to] = [text.indexOf(begin), text.indexOf(end)];
if (from < 0 || to < from) throw new Error(`${path} has lost the marks around its table`);
writeFileSync(path, `${text.slice(0, from + begin.length)}\n${settingsMarkdown()}\n${text.slice(to)}`);
