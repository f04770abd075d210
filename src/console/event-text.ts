import { cut } from './format.js';

/** An event in words. */
export interface EventText {
  /** what changed, shortly */
  text: string;
  /** the endpoint, when it is about one */
  endpointId: string | undefined;
  application: string;
  filter: { id: string; name: string } | undefined;
}

interface EventData {
  source?: string;
  application?: string;
  endpointId?: string;
  filterId?: string;
  filterName?: string | null;
  appVersionName?: string;
  previousAppVersionName?: string;
  added?: Record<string, string | null>;
  removed?: Record<string, string | null>;
  updated?: Record<string, { oldValue?: string | null; newValue?: string | null }>;
}

const VALUE_CHARACTERS = 60;
const SHOWN_KEYS = 6;

/** Values in events are JSON texts already. */
export function describeEvent(type: string, json: string): EventText {
  let data: EventData;
  try {
    data = JSON.parse(json) as EventData;
  } catch {
    return { text: 'This event can not be read.', endpointId: undefined, application: '', filter: undefined };
  }
  const { filterId, filterName } = data;
  return {
    text: wordsOf(type, data),
    endpointId: data.endpointId ?? (type.startsWith('filter-') ? undefined : data.source),
    application: data.application ?? '',
    filter: filterId === undefined ? undefined : { id: filterId, name: filterName ?? filterId },
  };
}

function wordsOf(type: string, data: EventData): string {
  switch (type) {
    case 'metadata-updated':
      return changesOf(data);
    case 'registered':
      return `registered as ${data.appVersionName ?? ''}`;
    case 'unregistered':
      return 'unregistered';
    case 'appversion-updated':
      return `${data.previousAppVersionName ?? ''} → ${data.appVersionName ?? ''}`;
    case 'ep-matched':
      return 'now matches';
    case 'ep-unmatched':
      return 'no longer matches';
    case 'filter-pending':
      return 'is being evaluated';
    case 'filter-activated':
      return 'is active';
    case 'filter-deleted':
      return 'was deleted';
    default:
      return type;
  }
}

function changesOf({ added = {}, updated = {}, removed = {} }: EventData): string {
  const value = (text: string | null | undefined): string => cut(text ?? 'null', VALUE_CHARACTERS);
  const words = [
    ...Object.entries(updated).map(
      ([key, each]) => `${key} ${value(each.oldValue)} → ${value(each.newValue)}`,
    ),
    ...Object.entries(added).map(([key, text]) => `+${key} ${value(text)}`),
    ...Object.keys(removed).map((key) => `−${key}`),
  ];
  const more = words.length - SHOWN_KEYS;
  return words.slice(0, SHOWN_KEYS).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
