interface Parameter {
  required?: boolean;
  description?: string;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
type Operations = Record<string, { parameters?: Parameter[] }>;
interface OpenApi {
  paths: Record<string, Operations>;
  components: { parameters?: Record<string, Parameter> };
}

/**
 * The document, with the examples of optional parameters in their descriptions: Swagger UI fills what has an example in,
 * and sends it with every request that is tried, though conditions, cursors and keys are of nobody's who tries.
 */
export function withoutPrefill(text: string): string {
  let document: OpenApi;
  try {
    document = JSON.parse(text) as OpenApi;
  } catch {
    // the page says what is wrong with it
    return text;
  }
  const operations = Object.values(document.paths).flatMap((each) => Object.values(each));
  for (const parameter of [
    ...Object.values(document.components.parameters ?? {}),
    ...operations.flatMap(({ parameters = [] }) => parameters),
  ])
    if (parameter.required === false) describeExamples(parameter);
  return JSON.stringify(document);
}

function describeExamples(parameter: Parameter): void {
  const values = [
    ...(parameter.example === undefined ? [] : [parameter.example]),
    ...Object.values(parameter.examples ?? {}).map(({ value }) => value),
  ];
  delete parameter.example;
  delete parameter.examples;
  if (values.length === 0) return;
  const shown = values.map((value) => `\`${[value].flat().map(plain).join(', ')}\``).join(' or ');
  parameter.description = `${parameter.description ?? ''}\n\nFor example ${shown}`;
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
