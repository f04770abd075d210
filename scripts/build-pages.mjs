/**
 * Builds the pages that the service serves to browsers, into build/public/<name>/: bundled and minified, with the
 * content's hash in the names of all but the page itself, each compressed beside itself (.br, .gz).
 *
 *   node scripts/build-pages.mjs
 */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));
const target = join(root, 'build', 'public');

/** Each fills a folder of its own. */
const PAGES = { console: buildConsole, docs: buildDocs };

const COMPRESSIBLE = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt']);

for (const [name, fill] of Object.entries(PAGES)) {
  // of this process: another build may run
  const partial = join(target, `.${name}.${process.pid}.partial`);
  mkdirSync(partial, { recursive: true });
  await fill(partial);
  compress(partial);
  // a service that starts meanwhile finds the old folder or the new one
  rmSync(join(target, name), { recursive: true, force: true });
  renameSync(partial, join(target, name));
}

async function buildConsole(folder) {
  await bundle(join(root, 'src', 'console'), 'main.tsx', folder);
}

/** The OpenAPI document, shown by Swagger UI. */
async function buildDocs(folder) {
  await bundle(join(root, 'src', 'docs'), 'main.ts', folder);
  const from = join(root, 'node_modules', 'swagger-ui-dist');
  for (const name of ['LICENSE', 'NOTICE', 'swagger-ui-es-bundle.js.LICENSE.txt'])
    copyFileSync(join(from, name), join(folder, 'assets', name.endsWith('.txt') ? name : `${name}.txt`));
}

/** `main` of `source` and what it imports, with the console's icon; `index.html` with the names that it got. */
async function bundle(source, main, folder) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: join(source, main), icon: join(root, 'src', 'console', 'icon.svg') },
    entryNames: 'assets/[name]-[hash]',
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'copy' },
    legalComments: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  const names = Object.keys(metafile.outputs).map((file) => file.slice(file.lastIndexOf('/') + 1));
  const nameOf = (pattern) => {
    const found = names.find((name) => pattern.test(name));
    if (found === undefined) throw new Error(`${source}: nothing was built that fits ${pattern}`);
    return `assets/${found}`;
  };
  const page = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('{script}', nameOf(/^main-.*\.js$/))
    .replace('{style}', nameOf(/^main-.*\.css$/))
    .replace('{icon}', nameOf(/^icon-.*\.svg$/));
  writeFileSync(join(folder, 'index.html'), page);
}

function compress(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !COMPRESSIBLE.has(extname(entry.name))) continue;
    const file = join(entry.parentPath, entry.name);
    const content = readFileSync(file);
    writeFileSync(`${file}.br`, brotliCompressSync(content));
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  }
}
