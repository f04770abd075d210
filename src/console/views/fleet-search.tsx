import { useDeps } from '../deps.js';
import { formatName } from '../format.js';
import { useLoad } from '../load.js';
import { listFilters } from '../operations.js';
import { SelectField, TextField } from '../parts/field.js';
import { go } from '../router.js';
import { parseRoute, type RouteParams } from '../route.js';
import { useTyped } from '../typed.js';

const OFFERED_FILTERS = 200;
const SORTS = [
  { value: '', text: 'Newest first' },
  { value: 'createdDate,asc', text: 'Oldest first' },
  { value: 'endpointId,asc', text: 'By id, A to Z' },
  { value: 'endpointId,desc', text: 'By id, Z to A' },
];

/** What the fleet is searched by. Every choice is in the address. */
export function FleetSearch({ params }: { params: Readonly<Record<string, string>> }) {
  const { api, applications } = useDeps();
  const app = params['app'] ?? '';
  // a cursor belongs to the search that it began with
  const search = (change: RouteParams, replace = false): void =>
    go(['fleet'], { ...paramsNow(), cursor: undefined, trail: undefined, ...change }, replace);
  const [text, setText] = useTyped(params['text'] ?? '', (value) => search({ text: value }, true));
  const [metadata, setMetadata] = useTyped(params['metadata'] ?? '', (value) =>
    search({ metadata: value }, true),
  );
  const [keys, setKeys] = useTyped(params['keys'] ?? '', (value) =>
    go(['fleet'], { ...paramsNow(), keys: value }, true),
  );
  const filters = useLoad(`filters ${app}`, async (signal) =>
    app === ''
      ? { ok: true as const, value: { totalElements: 0, content: [] } }
      : listFilters(api, app, { limit: OFFERED_FILTERS }, signal),
  );
  const versions = applications
    .filter(({ name }) => app === '' || name === app)
    .flatMap((application) => application.versions);
  const offered = (filters.value?.content ?? []).filter(({ status }) => status === 'active');

  return (
    <form
      class="search"
      role="search"
      aria-label="Search the fleet"
      onSubmit={(event) => event.preventDefault()}
    >
      <SelectField
        label="Application"
        value={app}
        choices={[
          { value: '', text: 'All applications' },
          ...applications.map((each) => ({ value: each.name, text: formatName(each) })),
        ]}
        onChoose={(value) => search({ app: value, version: undefined, filter: undefined })}
      />
      <SelectField
        label="Version"
        value={params['version'] ?? ''}
        choices={[
          { value: '', text: 'All versions' },
          ...versions.map((each) => ({ value: each.name, text: formatName(each) })),
        ]}
        onChoose={(value) => search({ version: value })}
      />
      <SelectField
        label="Saved filter"
        value={params['filter'] ?? ''}
        disabled={app === ''}
        choices={[
          { value: '', text: app === '' ? 'Choose an application first' : 'Any' },
          ...offered.map(({ id, name }) => ({ value: id, text: name })),
        ]}
        onChoose={(value) => search({ filter: value })}
      />
      <SelectField
        label="Order"
        value={params['sort'] ?? ''}
        choices={SORTS}
        onChoose={(value) => search({ sort: value })}
      />
      <TextField
        label="Id or value contains"
        type="search"
        value={text}
        onText={setText}
        placeholder="kettle"
      />
      <div class="search-wide">
        <TextField
          label="Metadata"
          type="search"
          value={metadata}
          onText={setMetadata}
          placeholder='city:Kyiv or {"temp":{"$gt":20}}'
          code
        />
      </div>
      <TextField label="Columns" value={keys} onText={setKeys} placeholder="Metadata keys: city, temp" code />
    </form>
  );
}

/** Those of the address at this moment: two fields may be typed in within one wait. */
function paramsNow(): RouteParams {
  return parseRoute(location.hash).params;
}
