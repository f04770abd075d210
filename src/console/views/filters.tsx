import { useEffect } from 'preact/hooks';
import type { Filter } from '../api-types.js';
import { useDeps } from '../deps.js';
import { formatCount, formatName, formatNumber, formatSpan, formatValue } from '../format.js';
import { useLoad, useNowAndThen, useThrottled } from '../load.js';
import { listFilters } from '../operations.js';
import { Empty, Loading, StatusBadge, Text, When } from '../parts/basics.js';
import { FaultNote } from '../parts/fault-note.js';
import { SelectField, TextField } from '../parts/field.js';
import { NoApplication } from '../parts/no-application.js';
import { Pager } from '../parts/pager.js';
import { go } from '../router.js';
import { routeHref } from '../route.js';
import { useTyped } from '../typed.js';

const PAGE = 50;
const COUNT_AGAIN_MS = 2000;
const PENDING_MS = 700;
/** Another name or description is no event. */
export const RENAMED_MS = 5000;
const QUERY_CHARACTERS = 90;

type Params = Readonly<Record<string, string>>;

/** The saved filters of one application. */
export function Filters({ params }: { params: Params }) {
  const { api, feed, applications } = useDeps();
  const app = params['app'] ?? applications[0]?.name ?? '';
  const name = params['name'] ?? '';
  const offset = Number(params['offset'] ?? 0) || 0;
  const page = useLoad(JSON.stringify([app, name, offset]), (signal) =>
    listFilters(api, app, { name, offset, limit: PAGE }, signal),
  );
  const { value, fault } = page;

  const countAgain = useThrottled(page.reload, COUNT_AGAIN_MS);
  useEffect(
    () =>
      feed.listen((events) => {
        if (events.some(({ type }) => type.startsWith('ep-') || type.startsWith('filter-'))) countAgain();
      }),
    [feed, countAgain],
  );
  useEffect(() => {
    if (feed.missed > 0) countAgain();
  }, [feed.missed, countAgain]);
  useNowAndThen(page.reload, RENAMED_MS);
  const pending = value?.content.some(({ status, fault: why }) => status === 'pending' && why === undefined);
  useEffect(() => {
    if (pending !== true) return;
    const timer = setTimeout(page.reload, PENDING_MS);
    return () => clearTimeout(timer);
  }, [value]);

  const [typed, setTyped] = useTyped(name, (text) =>
    go(['filters'], { app: params['app'], name: text }, true),
  );

  if (app === '') return <NoApplication />;
  const at = (next: number): void =>
    go(['filters'], { ...params, offset: next === 0 ? undefined : String(next) });
  return (
    <>
      <div class="title-row">
        <h1 tabIndex={-1}>Filters</h1>
        <a class="button button-primary" href={routeHref(['filters', app, 'new'])}>
          New filter
        </a>
      </div>
      <form
        class="search"
        role="search"
        aria-label="Search filters"
        onSubmit={(event) => event.preventDefault()}
      >
        <SelectField
          label="Application"
          value={app}
          choices={applications.map((each) => ({ value: each.name, text: formatName(each) }))}
          onChoose={(chosen) => go(['filters'], { app: chosen })}
        />
        <TextField label="Name contains" type="search" value={typed} onText={setTyped} />
      </form>
      {fault !== undefined && <FaultNote fault={fault} onRetry={page.reload} />}
      {value === undefined ? (
        fault === undefined && <Loading what="filters" />
      ) : (
        <section class="panel" aria-label="Filters" aria-busy={page.loading}>
          {value.content.length === 0 ? (
            <NoFilters app={app} searched={name !== ''} />
          ) : (
            <FilterTable app={app} filters={value.content} />
          )}
          <Pager
            total={value.totalElements}
            shown={value.content.length}
            one="filter"
            onFirst={offset > 0 ? () => at(0) : undefined}
            onPrevious={offset > 0 ? () => at(Math.max(0, offset - PAGE)) : undefined}
            onNext={offset + PAGE < value.totalElements ? () => at(offset + PAGE) : undefined}
          />
        </section>
      )}
    </>
  );
}

function FilterTable({ app, filters }: { app: string; filters: readonly Filter[] }) {
  return (
    <div class="table-frame">
      <table class="cards">
        <caption class="visually-hidden">Filters of {app}</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Members
            </th>
            <th scope="col">Query</th>
            <th scope="col">Changed</th>
          </tr>
        </thead>
        <tbody>
          {filters.map((filter) => (
            <tr key={filter.id}>
              <th scope="row" class="id">
                <a href={routeHref(['filters', app, filter.id])}>
                  <Text>{filter.name}</Text>
                </a>
                {filter.description !== '' && (
                  <div class="hint">
                    <Text>{filter.description}</Text>
                  </div>
                )}
              </th>
              <td data-label="State">
                <FilterState filter={filter} />
              </td>
              <td data-label="Members" class="number">
                {filter.status === 'active' ? (
                  formatNumber(filter.matchedEndpointsCount)
                ) : (
                  <span class="muted">–</span>
                )}
              </td>
              <td data-label="Query" class="value">
                <Text>{formatValue(filter.mongoQuery, QUERY_CHARACTERS)}</Text>
              </td>
              <td data-label="Changed" class="date">
                <When iso={filter.updatedDate} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Pending ones with how far their evaluation is. */
export function FilterState({ filter }: { filter: Filter }) {
  const { status, fault, progress } = filter;
  return (
    <span class="filter-state">
      <StatusBadge status={status} fault={fault} />
      {progress !== undefined && (
        <>
          <progress
            max={Math.max(1, progress.total)}
            value={progress.evaluated}
            aria-label="Evaluated endpoints"
          />
          <span class="muted">
            {progress.state === 'waiting'
              ? 'About to be evaluated'
              : `${formatNumber(progress.evaluated)} of ${formatCount(progress.total, 'endpoint')}`}
            {progress.secondsLeft !== undefined && `, ${formatSpan(progress.secondsLeft)} left`}
          </span>
        </>
      )}
    </span>
  );
}

function NoFilters({ app, searched }: { app: string; searched: boolean }) {
  if (searched) return <Empty title="No filter has such a name." />;
  return (
    <Empty title="No filter is saved yet.">
      <p>A filter is a query whose members are known at any moment; who joins and leaves is an event.</p>
      <a class="button button-primary" href={routeHref(['filters', app, 'new'])}>
        New filter
      </a>
    </Empty>
  );
}
