import type { TSchema } from '@sinclair/typebox';
import { pathParameter } from '../table/path-parameters.js';
import type { Route } from '../table/route.js';
import { namesOf } from '../table/router.js';
import type { Components, Json } from './components.js';

export function pathParameters(route: Route, components: Components): Json[] {
  return namesOf(route.path).map((name) => {
    const { schema, example } = pathParameter(name);
    const { description, ...rest } = components.schema(schema) as Json;
    const parameter = { name, in: 'path', required: true, description, schema: rest, example };
    return components.refer('parameters', name, parameter);
  });
}

export type QueryParameters = (route: Route) => Json[];

/** Writes the parameters of queries. One that several operations have alike is a component. */
export function createQueryParameters(routes: readonly Route[], components: Components): QueryParameters {
  const uses = new Map<string, number>();
  const writtenOf = (route: Route) =>
    Object.entries<TSchema>(route.query?.properties ?? {}).map(([name, schema]) =>
      queryParameter(name, schema, (route.query?.required ?? []).includes(name), components),
    );
  for (const route of routes)
    for (const parameter of writtenOf(route)) {
      const text = JSON.stringify(parameter);
      uses.set(text, (uses.get(text) ?? 0) + 1);
    }
  /** by name, the text that has it in the components: the one that is used most */
  const shared = new Map<string, string>();
  for (const [text, count] of [...uses].sort(([, a], [, b]) => b - a)) {
    const { name } = JSON.parse(text) as { name: string };
    if (count > 1 && !shared.has(name)) shared.set(name, text);
  }
  return (route) =>
    writtenOf(route).map((parameter) => {
      const name = parameter['name'] as string;
      return shared.get(name) === JSON.stringify(parameter)
        ? components.refer('parameters', name, parameter)
        : parameter;
    });
}

function queryParameter(name: string, schema: TSchema, required: boolean, components: Components): Json {
  const { description, examples, ...rest } = components.schema(schema) as Json;
  const parameter: Json = { name, in: 'query', required, description, schema: rest };
  const [first, ...others] = (examples ?? []) as unknown[];
  if (others.length === 0) parameter['example'] = first;
  else
    parameter['examples'] = Object.fromEntries(
      [first, ...others].map((value, i) => [`example-${i + 1}`, { value }]),
    );
  return parameter;
}
