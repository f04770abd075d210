import { useEffect, useState } from 'preact/hooks';
import type { Answer, Fault, FaultDetail, Filter, JsonValue, Preview } from '../api-types.js';
import { useDeps } from '../deps.js';
import { formatJson } from '../format.js';
import { jsonFault } from '../json-fault.js';
import { useLoad, useSettled } from '../load.js';
import { changeFilter, createFilter, getFilter, previewFilter } from '../operations.js';
import { Loading, Text } from '../parts/basics.js';
import { FaultNote } from '../parts/fault-note.js';
import { TextField } from '../parts/field.js';
import { PreviewPanel } from '../parts/preview-panel.js';
import { QueryEditor } from '../parts/query-editor.js';
import { go } from '../router.js';
import { routeHref } from '../route.js';

const TYPING_MS = 350;
const FIRST_QUERY = '{\n  "metadata": { "$elemMatch": { "key": "", "value": "" } }\n}';

/** A new filter, or a saved one that is changed; what it would match is shown while it is written. */
export function FilterEditor({ app, id }: { app: string; id: string | undefined }) {
  const { api } = useDeps();
  const saved = useLoad<Filter | undefined>(`edit ${app} ${id ?? ''}`, async (signal) =>
    id === undefined ? { ok: true as const, value: undefined } : getFilter(api, app, id, signal),
  );
  if (id !== undefined && saved.value === undefined)
    return saved.fault === undefined ? (
      <Loading what="the filter" />
    ) : (
      <FaultNote fault={saved.fault} onRetry={saved.reload} />
    );
  return <FilterForm app={app} saved={saved.value} etag={saved.etag} />;
}

interface FilterFormProps {
  app: string;
  saved: Filter | undefined;
  etag: string | undefined;
}

function FilterForm({ app, saved, etag }: FilterFormProps) {
  const { api, say } = useDeps();
  const [name, setName] = useState(saved?.name ?? '');
  const [description, setDescription] = useState(saved?.description ?? '');
  const [text, setText] = useState(saved === undefined ? FIRST_QUERY : formatJson(saved.mongoQuery));
  const [fault, setFault] = useState<Fault>();
  const [theirs, setTheirs] = useState<{ filter: Filter; etag: string | undefined }>();
  const [busy, setBusy] = useState(false);
  const settled = useSettled(text, TYPING_MS);
  // of what nobody has written yet, nothing is asked
  const ready = settled !== FIRST_QUERY && jsonFault(settled) === undefined;
  const preview = useLoad<Preview | undefined>(`preview ${app} ${settled}`, async (signal) =>
    ready ? previewFilter(api, app, settled, signal) : { ok: true as const, value: undefined },
  );
  // what was refused at saving holds until something else is written
  useEffect(() => setFault(undefined), [name, description, text]);
  const refused = settled === text ? (preview.fault ?? fault) : fault;
  const faults = refused?.code === 'invalid-query' ? refused.details.map(inQuery) : [];

  async function save(over?: { filter: Filter; etag: string | undefined }): Promise<void> {
    if (busy || jsonFault(text) !== undefined || name === '') return;
    setBusy(true);
    setFault(undefined);
    setTheirs(undefined);
    const answer = await send(over?.filter ?? saved, over === undefined ? etag : over.etag);
    if (!answer.ok && answer.fault.status === 412 && saved !== undefined) {
      const now = await getFilter(api, app, saved.id, new AbortController().signal);
      if (now.ok) setTheirs({ filter: now.value, etag: now.etag });
    }
    setBusy(false);
    if (!answer.ok) return setFault(answer.fault);
    say(saved === undefined ? 'The filter is saved' : 'The filter is changed');
    go(['filters', app, answer.value.id]);
  }

  async function send(before: Filter | undefined, tag: string | undefined): Promise<Answer<Filter>> {
    // the text itself: a key that stands there twice is refused rather than forgotten
    const mongoQuery = text;
    if (before === undefined) return createFilter(api, app, { name, description, mongoQuery });
    // a query that is sent again would be evaluated again
    const same =
      JSON.stringify(JSON.parse(text)) === JSON.stringify(before.mongoQuery) && before.fault === undefined;
    const change = same ? { name, description } : { name, description, mongoQuery };
    return changeFilter(api, app, before.id, change, tag);
  }

  const back = saved === undefined ? routeHref(['filters'], { app }) : routeHref(['filters', app, saved.id]);
  return (
    <>
      <p class="crumbs">
        <a href={routeHref(['filters'], { app })}>Filters of {app}</a>
      </p>
      <h1 tabIndex={-1}>{saved === undefined ? 'New filter' : 'Edit the filter'}</h1>
      <div class="columns columns-even">
        <form
          class="panel pad"
          aria-label="Filter"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <TextField
            label="Name"
            value={name}
            onText={setName}
            maxLength={256}
            required
            error={fault?.code === 'filter-name-taken' ? fault.message : undefined}
          />
          <TextField label="Description" value={description} onText={setDescription} maxLength={4096} />
          <QueryEditor text={text} onText={setText} faults={faults} />
          {fault?.status === 412 ? (
            <div class="note note-warn" role="alert">
              <p>Somebody else changed this filter meanwhile (412). Nothing was saved.</p>
              {theirs !== undefined && <TheirFilter now={theirs.filter} mine={{ name, description, text }} />}
              <div class="actions">
                <a class="button" href={back}>
                  Keep theirs
                </a>
                {theirs !== undefined && (
                  <button type="button" class="button button-danger" onClick={() => void save(theirs)}>
                    Save mine over it
                  </button>
                )}
              </div>
            </div>
          ) : (
            fault !== undefined &&
            fault.code !== 'invalid-query' &&
            fault.code !== 'filter-name-taken' && <FaultNote fault={fault} />
          )}
          <div class="actions">
            <a class="button" href={back}>
              Cancel
            </a>
            <button
              type="submit"
              class="button button-primary"
              disabled={busy || name === '' || jsonFault(text) !== undefined || faults.length > 0}
            >
              {busy ? 'Saving …' : 'Save'}
            </button>
          </div>
        </form>
        <PreviewPanel preview={preview} ready={ready} />
      </div>
    </>
  );
}

interface TheirFilterProps {
  now: Filter;
  mine: { name: string; description: string; text: string };
}

/** What differs, as it is now and as it is wanted. */
function TheirFilter({ now, mine }: TheirFilterProps) {
  const parts: [what: string, now: string, mine: string][] = [
    ['Name', now.name, mine.name],
    ['Description', now.description, mine.description],
    ['Query', formatJson(now.mongoQuery), formatJson(JSON.parse(mine.text) as JsonValue)],
  ];
  return (
    <>
      {parts
        .filter(([, theirs, wanted]) => theirs !== wanted)
        .map(([what, theirs, wanted]) => (
          <dl key={what} class="conflict">
            <dt>{what} now</dt>
            <dd>
              <Text>{theirs}</Text>
            </dd>
            <dt>You want</dt>
            <dd>
              <Text>{wanted}</Text>
            </dd>
          </dl>
        ))}
    </>
  );
}

/** Paths are told from the body; the query is one of its members. */
function inQuery({ path, message }: FaultDetail): FaultDetail {
  return { path: path.replace(/^\/mongoQuery/, ''), message };
}
