import { type TSchema, Type } from '@sinclair/typebox';
import { type ErrorCode, ERRORS } from '../../model/errors.js';
import { ENDPOINT_ID, NAME, isEndpointId } from '../../model/endpoint.js';
import { documented, keyKeywords } from './described.js';

interface PathParameterSpec {
  schema: TSchema;
  example: string;
  accepts(text: string): boolean;
  code: ErrorCode;
  message: string;
}

/** Every name that may stand in braces in a path. Values are percent-decoded before they are looked at. */
export const PATH_PARAMETERS = {
  endpointId: {
    schema: documented(
      Type.String({ pattern: ENDPOINT_ID.source, description: 'Id of the endpoint; not "." or "..".' }),
      () => ({ not: { enum: ['.', '..'] } }),
    ),
    example: 'kettle-1',
    accepts: isEndpointId,
    code: 'invalid-endpoint-id',
    message: ERRORS['invalid-endpoint-id'][1],
  },
  key: {
    schema: documented(Type.String({ minLength: 1, description: 'Metadata key.' }), keyKeywords),
    example: 'city',
    accepts: (text: string) => text !== '',
    code: 'invalid-metadata-key',
    message: 'A metadata key has at least one character.',
  },
  app: {
    schema: Type.String({ pattern: NAME.source, description: 'Name of the application.' }),
    example: 'demo',
    accepts: (text: string) => NAME.test(text),
    code: 'invalid-parameter',
    message: 'An application name has characters out of a-z, 0-9, "_" and "-".',
  },
  id: {
    schema: Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$', description: 'Id of the filter.' }),
    example: '2f1c5b1e-7c1c-4a5e-9d2b-0f6f1d0f9a11',
    accepts: (text: string) => /^[A-Za-z0-9-]{1,64}$/.test(text),
    code: 'invalid-parameter',
    message: 'A filter id has 1 to 64 characters out of A-Z, a-z, 0-9 and "-".',
  },
} as const satisfies Record<string, PathParameterSpec>;

export type PathParameter = keyof typeof PATH_PARAMETERS;

export function pathParameter(name: string): PathParameterSpec {
  return PATH_PARAMETERS[name as PathParameter];
}
