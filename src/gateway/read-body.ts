import { type Refusal, refuse } from '../model/errors.js';
import type { JsonValue } from '../model/json.js';
import { parseStrictJson } from '../model/strict-json.js';
import type { PreparedRoute } from './prepared-route.js';
import type { GatewayLimits } from './types.js';
import { type BodyBudget, BodyStream, readWholeBody } from './wire/body.js';
import type { Exchange } from './wire/exchange.js';

export interface JsonBody {
  value: JsonValue;
  /** white space around it removed */
  text: string;
}

export interface IncomingBody {
  mediaType: string;
  content: BodyStream | Promise<JsonBody | Refusal | 'gone'>;
}

/** Begins to read what the route takes; `undefined` when it takes none. Must be called before anything is waited for. */
export function readBody(
  exchange: Exchange,
  prepared: PreparedRoute,
  limits: GatewayLimits,
  streamIdleMs: number,
  budget: BodyBudget,
): IncomingBody | Refusal | undefined {
  const { body } = prepared.route;
  if (body === undefined) return undefined;
  const { head } = exchange;
  if (head.contentEncoding !== undefined && !/^(identity)?$/i.test(head.contentEncoding)) {
    return refuse(
      'unsupported-media-type',
      `Content-Encoding "${head.contentEncoding.slice(0, 80)}" is not taken: send the body as it is.`,
    );
  }
  const mediaType = readMediaType(head.contentType);
  const media = mediaType === undefined ? undefined : body.content[mediaType];
  if (mediaType === undefined || media === undefined) {
    const taken = Object.keys(body.content).join(', ');
    return refuse(
      'unsupported-media-type',
      `This operation takes ${taken} in UTF-8; found "${(head.contentType ?? '').slice(0, 80)}".`,
    );
  }
  if (media.streamed !== undefined) return { mediaType, content: new BodyStream(exchange, streamIdleMs) };
  if (head.contentLength !== undefined && head.contentLength > limits.bodyBytes)
    return tooLarge(limits, head.contentLength);
  const check = prepared.checks.get(mediaType);
  const nesting = limits.nesting + body.levelsAbove;
  const content = readWholeBody(exchange, limits.bodyBytes, budget).then(
    (bytes): JsonBody | Refusal | 'gone' => {
      if (bytes === 'gone') return 'gone';
      if (bytes === 'overloaded')
        return refuse(
          'overloaded',
          'More is being received than fits in memory. Nothing was changed; send it again shortly.',
        );
      if (bytes === 'too-large') return tooLarge(limits, undefined);
      const parsed = parseStrictJson(bytes, nesting);
      if (!parsed.ok) {
        const { code, message, path = '' } = parsed;
        return refuse(code, message, [{ path, message }]);
      }
      const faults = check?.(parsed.value);
      if (faults !== undefined) {
        const words = faults
          .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
          .join(' ');
        return refuse(
          'invalid-body',
          `The body is not what this operation takes. ${words.slice(0, 2000)}`,
          faults,
        );
      }
      return { value: parsed.value, text: parsed.text.trim() };
    },
  );
  return { mediaType, content };
}

function tooLarge(limits: GatewayLimits, found: number | undefined): Refusal {
  const size = found === undefined ? '' : `; found ${found}`;
  return refuse('body-too-large', `The body may have ${limits.bodyBytes} bytes (server.max-body)${size}.`);
}

/** Without parameters, lower case; a missing type is JSON; `undefined` for a charset other than UTF-8. */
function readMediaType(contentType: string | undefined): string | undefined {
  if (contentType === undefined || contentType === '' || contentType === 'application/json')
    return 'application/json';
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  for (const parameter of parameters) {
    if (parameter.startsWith('charset=') && !/^charset="?utf-?8"?$/.test(parameter)) return undefined;
  }
  return type;
}
