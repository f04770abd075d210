/** `npm run test:contract -- [sequences|concurrent] [--runs N] [--keeper K] [--seed S --path P]` */
import { parseArgs } from 'node:util';

const PROPERTIES = ['sequences', 'concurrent'];
const { positionals } = parseArgs({ strict: false, allowPositionals: true });
const named = PROPERTIES.filter((name) => positionals.includes(name));
for (const name of named.length > 0 ? named : PROPERTIES) await import(`./${name}.test.js`);
