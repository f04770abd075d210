import { useRef } from 'preact/hooks';
import type { FaultDetail, JsonValue } from '../api-types.js';
import { formatJson } from '../format.js';
import { jsonFault } from '../json-fault.js';
import { lineOf, placeOf, type Place } from '../json-place.js';
import { Field } from './field.js';

interface QueryEditorProps {
  text: string;
  onText: (text: string) => void;
  /** what the service found; paths are JSON pointers into the query */
  faults: readonly FaultDetail[];
}

interface PlacedFault {
  message: string;
  path: string;
  place: Place | undefined;
}

const EXAMPLES: readonly [name: string, query: JsonValue][] = [
  ['Value equals', { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } }],
  ['Value above', { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } }],
  ['Has the key', { metadata: { $elemMatch: { key: 'owner' } } }],
  ['Version is', { application_version: 'demo-v1' }],
  [
    'Both',
    {
      $and: [
        { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } },
        { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } },
      ],
    },
  ],
];

/** A query as JSON, with what is wrong in it marked where it stands. */
export function QueryEditor({ text, onText, faults }: QueryEditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const mirror = useRef<HTMLPreElement>(null);
  const syntax = jsonFault(text);
  const placed: PlacedFault[] =
    syntax === undefined
      ? faults.map((fault) => ({ ...fault, place: placeOf(text, fault.path) }))
      : [{ message: syntax.message, path: '', place: { start: syntax.at, end: syntax.at + 1 } }];

  function show(place: Place): void {
    area.current?.focus();
    area.current?.setSelectionRange(place.start, place.end);
  }

  return (
    <div class="query-editor">
      <Field
        label="Query"
        hint="In the filter language: MongoDB's, over endpoint_id, application_version and metadata."
      >
        {(ids) => (
          <div class="marked-area">
            <pre ref={mirror} class="mirror code" aria-hidden="true">
              {marked(
                text,
                placed.flatMap(({ place }) => (place === undefined ? [] : [place])),
              )}
            </pre>
            <textarea
              {...ids}
              ref={area}
              class="code"
              rows={Math.min(Math.max(text.split('\n').length + 1, 12), 28)}
              spellcheck={false}
              autocapitalize="off"
              aria-invalid={placed.length > 0}
              value={text}
              onInput={(event) => onText(event.currentTarget.value)}
              onScroll={(event) => {
                if (mirror.current !== null) mirror.current.scrollTop = event.currentTarget.scrollTop;
              }}
            />
          </div>
        )}
      </Field>
      {placed.length > 0 && text.trim() !== '' && (
        <ul class="query-faults" role="alert" aria-label="What is wrong in the query">
          {placed.map(({ message, path, place }) => (
            <li key={path + message}>
              {place !== undefined && (
                <button type="button" class="button button-small" onClick={() => show(place)}>
                  Line {lineOf(text, place.start).line}
                </button>
              )}{' '}
              {path !== '' && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
      <div class="examples" role="group" aria-label="Examples to begin with">
        <span class="hint">Begin with:</span>
        {EXAMPLES.map(([name, query]) => (
          <button
            key={name}
            type="button"
            class="button button-small"
            onClick={() => onText(formatJson(query))}
          >
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}

/** The text in pieces, those in `places` marked; of two that overlap, the first. */
function marked(text: string, places: readonly Place[]) {
  const pieces = [];
  let at = 0;
  for (const { start, end } of [...places].sort((a, b) => a.start - b.start)) {
    if (start < at) continue;
    pieces.push(text.slice(at, start), <mark key={start}>{text.slice(start, end) || ' '}</mark>);
    at = end;
  }
  // a line feed at the end has no height of its own
  return [...pieces, text.slice(at), '\n'];
}
