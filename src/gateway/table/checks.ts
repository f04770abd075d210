import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from '@sinclair/typebox';
import type { FaultDetail } from '../../model/errors.js';
import { pointerToken } from '../../model/json.js';

/** Answers every fault of a value, or `undefined`. */
export type Check = (value: unknown) => FaultDetail[] | undefined;

const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, allowUnionTypes: true });

/** Compiles at the first use: a start that checks nothing compiles nothing. */
export function createCheck(schema: TSchema): Check {
  let validate: ValidateFunction | undefined;
  return (value) => {
    validate ??= ajv.compile(schema);
    if (validate(value)) return undefined;
    return (validate.errors ?? []).slice(0, 100).map(detailOf);
  };
}

function detailOf(error: ErrorObject): FaultDetail {
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object).join(', ');
      const name = String(params['additionalProperty']);
      return {
        path: `${error.instancePath}/${escapePointer(name)}`,
        message: `"${shorten(name)}" is not known here; known are: ${known}.`,
      };
    }
    case 'required':
      return { path: error.instancePath, message: `"${String(params['missingProperty'])}" is missing.` };
    case 'type':
      return {
        path: error.instancePath,
        message: `must be ${typeWords(params['type'])}; found ${describe(error.data)}.`,
      };
    case 'enum':
      return {
        path: error.instancePath,
        message: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}; found ${describe(error.data)}.`,
      };
    case 'const':
      return {
        path: error.instancePath,
        message: `must be ${JSON.stringify(params['allowedValue'])}; found ${describe(error.data)}.`,
      };
    case 'pattern': {
      const { description, examples } = (error.parentSchema ?? {}) as {
        description?: string;
        examples?: unknown;
      };
      if (description === undefined || !Array.isArray(examples)) return plainDetailOf(error);
      const words = `${asPart(description)}, such as ${describe(examples[0])}`;
      return { path: error.instancePath, message: `must be: ${words}; found ${describe(error.data)}.` };
    }
    case 'minProperties':
    case 'maxProperties': {
      const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object).join(', ');
      const size = error.keyword === 'minProperties' ? 'at least' : 'at most';
      return {
        path: error.instancePath,
        message: `must have ${size} ${String(params['limit'])} of: ${known}; found ${Object.keys(error.data as object).length}.`,
      };
    }
    default:
      return plainDetailOf(error);
  }
}

/** A sentence as a part of another. */
function asPart(sentence: string): string {
  return sentence.replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase()).replace(/\.$/, '');
}

function plainDetailOf(error: ErrorObject): FaultDetail {
  return {
    path: error.instancePath,
    message: `${error.message ?? 'is not valid'}; found ${describe(error.data)}.`,
  };
}

function typeWords(type: unknown): string {
  return Array.isArray(type) ? type.join(' or ') : String(type);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return shorten(JSON.stringify(value) ?? 'nothing');
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
}

function escapePointer(name: string): string {
  return pointerToken(shorten(name));
}
