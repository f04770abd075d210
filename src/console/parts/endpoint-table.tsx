import type { Endpoint } from '../api-types.js';
import { formatCell } from '../format.js';
import { valueAt } from '../metadata-edit.js';
import { routeHref } from '../route.js';
import { Text, When } from './basics.js';

export interface Selection {
  ids: ReadonlySet<string>;
  onChange: (ids: ReadonlySet<string>) => void;
}

interface EndpointTableProps {
  caption: string;
  endpoints: readonly Endpoint[];
  /** metadata keys that have a column */
  keys: readonly string[];
  selection?: Selection;
  /** beside other things: without version and dates */
  brief?: boolean;
}

const VALUE_CHARACTERS = 60;

export function EndpointTable({ caption, endpoints, keys, selection, brief = false }: EndpointTableProps) {
  return (
    <div class="table-frame">
      <table class="cards">
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {selection !== undefined && (
              <th scope="col" class="tick">
                <SelectAll endpoints={endpoints} selection={selection} />
              </th>
            )}
            <th scope="col">Endpoint</th>
            {!brief && <th scope="col">Version</th>}
            {keys.map((key) => (
              <th key={key} scope="col">
                <Text>{key}</Text>
              </th>
            ))}
            <th scope="col">Metadata updated</th>
            {!brief && <th scope="col">Created</th>}
          </tr>
        </thead>
        <tbody>
          {endpoints.map((endpoint) => (
            <EndpointRow key={endpoint.endpointId} {...{ endpoint, keys, selection, brief }} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface EndpointRowProps {
  endpoint: Endpoint;
  keys: readonly string[];
  selection: Selection | undefined;
  brief: boolean;
}

function EndpointRow({ endpoint, keys, selection, brief }: EndpointRowProps) {
  const { endpointId, appVersion, metadata, metadataUpdatedDate, createdDate } = endpoint;
  const selected = selection?.ids.has(endpointId) === true;
  return (
    <tr aria-selected={selection === undefined ? undefined : selected}>
      {selection !== undefined && (
        <td class="tick">
          <label class="tick-area">
            <input
              type="checkbox"
              aria-label={`Select ${endpointId}`}
              checked={selected}
              onChange={() => selection.onChange(toggled(selection.ids, endpointId))}
            />
          </label>
        </td>
      )}
      <th scope="row" class="id">
        <a href={routeHref(['endpoints', endpointId])}>
          <Text>{endpointId}</Text>
        </a>
      </th>
      {!brief && (
        <td data-label="Version" class="version">
          {appVersion.name}
        </td>
      )}
      {keys.map((key) => {
        const value = metadata === undefined ? undefined : valueAt(metadata, key);
        return (
          <td key={key} data-label={key} class="value">
            {value === undefined ? (
              <span class="muted">–</span>
            ) : (
              <Text>{formatCell(value, VALUE_CHARACTERS)}</Text>
            )}
          </td>
        );
      })}
      <td data-label="Metadata updated" class="date">
        <When iso={metadataUpdatedDate} />
      </td>
      {!brief && (
        <td data-label="Created" class="date">
          <When iso={createdDate} />
        </td>
      )}
    </tr>
  );
}

function SelectAll({ endpoints, selection }: { endpoints: readonly Endpoint[]; selection: Selection }) {
  const count = endpoints.filter(({ endpointId }) => selection.ids.has(endpointId)).length;
  const all = count > 0 && count === endpoints.length;
  return (
    <label class="tick-area">
      <input
        type="checkbox"
        aria-label="Select all on this page"
        checked={all}
        ref={(input) => {
          if (input !== null) input.indeterminate = count > 0 && !all;
        }}
        onChange={() =>
          selection.onChange(all ? new Set() : new Set(endpoints.map(({ endpointId }) => endpointId)))
        }
      />
    </label>
  );
}

function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** The keys that most of a page has, in the order of the first endpoints that have them. */
export function commonKeys(endpoints: readonly Endpoint[], limit: number): string[] {
  const counts = new Map<string, number>();
  for (const { metadata = {} } of endpoints)
    for (const [key, value] of Object.entries(metadata))
      if (typeof value !== 'object') counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, limit)
    .map(([key]) => key);
}
