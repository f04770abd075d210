import { useEffect, useMemo, useState } from 'preact/hooks';
import { useDeps } from '../deps.js';
import { formatCount } from '../format.js';
import { useLoad } from '../load.js';
import { listEndpoints } from '../operations.js';
import { Empty, Loading } from '../parts/basics.js';
import { DeleteEndpoints } from '../parts/delete-endpoints.js';
import { commonKeys, EndpointTable } from '../parts/endpoint-table.js';
import { FaultNote } from '../parts/fault-note.js';
import { Pager } from '../parts/pager.js';
import { RegisterDialog } from '../parts/register-dialog.js';
import { go } from '../router.js';
import { FleetSearch } from './fleet-search.js';

const PAGE = 50;
const COLUMNS = 3;

type Params = Readonly<Record<string, string>>;

/** All endpoints, or those that are looked for; what is looked for is in the address. */
export function Fleet({ params }: { params: Params }) {
  const { api } = useDeps();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<'register' | 'delete'>();
  const query = {
    applicationName: params['app'],
    applicationVersionName: params['version'],
    multiFilter: params['text'],
    metadataFilter: params['metadata'],
    filterId: params['filter'],
    sort: params['sort'],
    cursor: params['cursor'],
    include: 'metadata',
    limit: PAGE,
  };
  const key = JSON.stringify(query);
  const page = useLoad(key, (signal) => listEndpoints(api, query, signal));
  // what is not seen any more must not be deleted by accident
  useEffect(() => setSelected(new Set()), [key]);

  const { value, fault } = page;
  const content = value?.content ?? [];
  const keys = useMemo(() => {
    const wanted = (params['keys'] ?? '').split(',').map((text) => text.trim());
    const named = wanted.filter((text) => text !== '');
    return named.length > 0 ? named : commonKeys(content, COLUMNS);
  }, [params['keys'], value]);

  const { cursor, ...withoutCursor } = params;
  const next = value?.nextCursor;
  const trail = (params['trail'] ?? '').split(' ').filter((text) => text !== '');
  const toFirst = (): void => go(['fleet'], { ...withoutCursor, trail: undefined });
  const previous = trail.at(-1);

  return (
    <>
      <div class="title-row">
        <h1 tabIndex={-1}>Fleet</h1>
        <button type="button" class="button button-primary" onClick={() => setOpen('register')}>
          Register an endpoint
        </button>
      </div>
      <FleetSearch params={params} />
      {fault !== undefined && <FaultNote fault={fault} onRetry={page.reload} />}
      {value === undefined && fault === undefined && <Loading what="endpoints" />}
      {value !== undefined && (
        <section class="panel" aria-label="Endpoints" aria-busy={page.loading}>
          {selected.size > 0 && (
            <div class="selection" role="status">
              <span>{formatCount(selected.size, 'endpoint')} selected</span>
              <button type="button" class="button button-small" onClick={() => setSelected(new Set())}>
                Clear
              </button>
              <button
                type="button"
                class="button button-small button-danger"
                onClick={() => setOpen('delete')}
              >
                Delete …
              </button>
            </div>
          )}
          {content.length === 0 ? (
            <NoEndpoints params={params} onRegister={() => setOpen('register')} />
          ) : (
            <EndpointTable
              caption="Endpoints"
              endpoints={content}
              keys={keys}
              selection={{ ids: selected, onChange: setSelected }}
            />
          )}
          <Pager
            total={value.totalElements}
            shown={content.length}
            one="endpoint"
            onFirst={cursor === undefined ? undefined : toFirst}
            onPrevious={
              cursor === undefined
                ? undefined
                : previous === undefined
                  ? toFirst
                  : () => go(['fleet'], { ...params, cursor: previous, trail: trail.slice(0, -1).join(' ') })
            }
            onNext={
              next === undefined
                ? undefined
                : () => go(['fleet'], { ...params, cursor: next, trail: longer(trail, cursor) })
            }
          />
        </section>
      )}
      {open === 'register' && (
        <RegisterDialog
          application={params['app'] ?? ''}
          onClose={() => setOpen(undefined)}
          onRegistered={page.reload}
        />
      )}
      {open === 'delete' && (
        <DeleteEndpoints
          ids={[...selected]}
          onClose={() => setOpen(undefined)}
          onDeleted={() => {
            setOpen(undefined);
            setSelected(new Set());
            page.reload();
          }}
        />
      )}
    </>
  );
}

/** Pages gone by, so that there is a way back; an address must not grow without end. */
const TRAIL = 20;

function longer(trail: readonly string[], cursor: string | undefined): string {
  return (cursor === undefined ? trail : [...trail, cursor]).slice(-TRAIL).join(' ');
}

const SEARCHES = ['version', 'text', 'metadata', 'filter', 'cursor'];

function NoEndpoints({ params, onRegister }: { params: Params; onRegister: () => void }) {
  const searched = SEARCHES.some((name) => params[name] !== undefined);
  if (searched)
    return (
      <Empty title="No endpoint fits the search.">
        <button
          type="button"
          class="button"
          onClick={() => go(['fleet'], { app: params['app'], sort: params['sort'] })}
        >
          Clear the search
        </button>
      </Empty>
    );
  return (
    <Empty title="No endpoint is registered here yet.">
      <p>
        Register one by hand, or a whole fleet from a file: <code>epr import fleet.ndjson</code>
      </p>
      <button type="button" class="button button-primary" onClick={onRegister}>
        Register an endpoint
      </button>
    </Empty>
  );
}
