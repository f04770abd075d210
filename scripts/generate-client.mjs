/**
 * npm run client:generate -- [<url or file of the document>] [<file to write>]
 *
 * Writes TypeScript types of every operation, from the OpenAPI document that a running register serves, for the client
 * openapi-fetch. Default: http://127.0.0.1:8080/api/v1/openapi.json to ./endpoint-register.d.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const [source = 'http://127.0.0.1:8080/api/v1/openapi.json', target = 'endpoint-register.d.ts'] =
  process.argv.slice(2);

async function readDocument() {
  if (!/^https?:\/\//.test(source)) return JSON.parse(readFileSync(source, 'utf8'));
  const response = await fetch(source);
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  return response.json();
}

try {
  const document = await readDocument();
  const types = astToString(await openapiTS(document, { silent: true }));
  const { title, version } = document.info;
  writeFileSync(
    target,
    `// ${title} ${version}: generated from its OpenAPI document, do not edit.\n${types}`,
  );
  console.log(`${target}: the types of ${title} ${version}`);
} catch (error) {
  const { message, cause } = error;
  console.error(`${source} could not be made into types: ${cause?.message || cause?.code || message}`);
  process.exitCode = 1;
}
