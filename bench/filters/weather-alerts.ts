import type { Station } from '../fleet.js';
import type { Bounds, Clause, Filter } from './clauses.js';
import { createRandom, type Random } from './random.js';

/** Where an alert holds: one station, a place, a country, anywhere. */
type Scope = 'station' | 'state' | 'region' | 'country' | 'name' | 'anywhere';

const SCOPES: readonly (readonly [number, Scope])[] = [
  [0.74, 'station'],
  [0.1, 'state'],
  [0.08, 'region'],
  [0.06, 'country'],
  [0.01, 'name'],
  [0.01, 'anywhere'],
];

type Make = (random: Random, isSevere: boolean) => Clause[];

/** What an alert is about. Severe ones, for all of a state and more, have thresholds that are seldom crossed. */
const CONDITIONS: readonly (readonly [number, Make])[] = [
  [
    0.12,
    (random, isSevere) => [
      range('temp_c', { lte: isSevere ? -40 + random.below(26) : -30 + random.below(46) }),
    ],
  ],
  [
    0.12,
    (random, isSevere) => [range('temp_c', { gte: isSevere ? 35 + random.below(16) : 5 + random.below(44) })],
  ],
  [0.15, (random, isSevere) => [range('wind_speed_kt', { gte: windOf(random, isSevere) })]],
  [0.1, gale],
  [0.11, (random, isSevere) => [range('visibility_statute_mi', { lt: visibilityOf(random, isSevere) })]],
  [
    0.06,
    (random, isSevere) => [
      range('altim_in_hg', { lt: round((isSevere ? 28 : 29) + 0.05 * random.below(20)) }),
    ],
  ],
  [
    0.05,
    (random, isSevere) => [range('sea_level_pressure_mb', { lt: (isSevere ? 950 : 985) + random.below(25) })],
  ],
  [0.1, flightCategory],
  [0.07, (random) => [{ kind: 'holds', key: 'wx', values: random.pick(WEATHER) }]],
  [
    0.04,
    (random, isSevere) => [
      range('dewpoint_c', { gte: 5 + random.below(18) }),
      range('visibility_statute_mi', { lt: visibilityOf(random, isSevere) }),
    ],
  ],
  [0.03, crosswind],
  [
    0.02,
    (random) => [
      range('temp_c', { gte: 27 + random.below(14) }),
      range('dewpoint_c', { gte: 18 + random.below(9) }),
    ],
  ],
  [
    0.01,
    (random, isSevere) => [
      { kind: 'equals', key: 'wind_dir_degrees', value: 'VRB' },
      range('wind_speed_kt', { gte: windOf(random, isSevere) }),
    ],
  ],
  [
    0.01,
    () => [
      { kind: 'equals', key: 'auto_station', value: true },
      { kind: 'equals', key: 'maintenance', value: true },
    ],
  ],
  [
    0.01,
    (random, isSevere) => [
      { kind: 'absent', key: 'wx' },
      range('visibility_statute_mi', { lt: visibilityOf(random, isSevere) }),
    ],
  ],
];

// prettier-ignore
const WEATHER = [
  ['TS', 'TSRA', '-TSRA', '+TSRA', 'VCTS'], ['+TSRA'], ['SN', '-SN', '+SN', 'SHSN', '-SHSN'], ['+SN', 'BLSN'],
  ['FG'], ['FG', 'FZFG', 'BCFG', 'MIFG'], ['RA', '+RA', 'SHRA', '+SHRA'], ['+RA', '+SHRA'], ['FZFG', '-FZDZ'],
  ['HZ', 'FU'], ['DU', 'SA', 'BLDU', 'PO'], ['BR'],
];

/** Alerts without end, the same in every run. Their scopes and conditions: docs/benchmarks.md. */
export function* generateAlerts(stations: readonly Station[]): Generator<Filter, never> {
  const random = createRandom(2);
  const withState = stations.filter(({ metadata }) => typeof metadata['state'] === 'string');
  const withPosition = stations.filter(({ metadata }) => metadata['position'] != null);
  const withCountry = stations.filter(({ metadata }) => typeof metadata['country'] === 'string');
  for (;;) {
    const scope = random.pickWeighted(SCOPES);
    const isSevere = scope !== 'station' && scope !== 'region' && scope !== 'name';
    const conditions = random.pickWeighted(CONDITIONS)(random, isSevere);
    switch (scope) {
      case 'station':
        yield [atStation(popular(stations, random), random), ...conditions];
        break;
      case 'state':
        yield [equal('state', random.pick(withState)), ...conditions];
        break;
      case 'country':
        yield [equal('country', random.pick(withCountry)), ...conditions];
        break;
      case 'region':
        yield [around(random.pick(withPosition), random), ...conditions];
        break;
      case 'name':
        yield [named(random.pick(withCountry)), ...conditions];
        break;
      case 'anywhere':
        yield conditions;
    }
  }
}

/** Some stations have more customers than others: the first tenth has a third of the alerts. */
function popular(stations: readonly Station[], random: Random): Station {
  return stations[Math.floor(stations.length * random.next() ** 2)]!;
}

/** By its id or, where it has one, as often by its ICAO code. */
function atStation(station: Station, random: Random): Clause {
  return typeof station.metadata['icao'] === 'string' && random.isOneIn(2)
    ? equal('icao', station)
    : { kind: 'endpoint', id: station.endpointId };
}

function equal(key: string, { metadata }: Station): Clause {
  return { kind: 'equals', key, value: metadata[key] as string };
}

/** A box of one to four degrees about a station. */
function around({ metadata }: Station, random: Random): Clause {
  const { lat, lon } = metadata['position'] as { lat: number; lon: number };
  const half = 0.5 + random.below(4) * 0.5;
  const within = (middle: number): Bounds => ({ gte: round(middle - half), lte: round(middle + half) });
  return { kind: 'box', key: 'position', members: { lat: within(lat), lon: within(lon) } };
}

/** Stations whose name begins with the same word, in capitals or not. */
function named({ metadata: { name } }: Station): Clause {
  const word = typeof name === 'string' ? /^[A-Za-z0-9]+/.exec(name)?.[0] : undefined;
  return { kind: 'pattern', key: 'name', pattern: `^${(word ?? 'a').toLowerCase()}`, ignoresCase: true };
}

function range(key: string, bounds: Bounds): Clause {
  return { kind: 'range', key, bounds };
}

function windOf(random: Random, isSevere: boolean): number {
  return random.pick(isSevere ? [41, 48, 56, 64] : [15, 18, 20, 22, 25, 28, 30, 34, 40, 48]);
}

function visibilityOf(random: Random, isSevere: boolean): number {
  return random.pick(isSevere ? [0.125, 0.25] : [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5]);
}

function gale(random: Random, isSevere: boolean): Clause[] {
  const bounds = { gte: windOf(random, isSevere) };
  return [{ kind: 'or', clauses: [range('wind_speed_kt', bounds), range('wind_gust_kt', bounds)] }];
}

function flightCategory(random: Random, isSevere: boolean): Clause[] {
  const key = 'flight_category';
  const some: Clause[] = [
    { kind: 'equals', key, value: 'LIFR' },
    { kind: 'in', key, values: ['IFR', 'LIFR'] },
    { kind: 'differs', key, value: 'VFR' },
  ];
  return [isSevere ? some[0]! : random.pick(some)];
}

function crosswind(random: Random, isSevere: boolean): Clause[] {
  const from = 10 * random.below(30);
  return [
    range('wind_dir_degrees', { gte: from, lte: from + 60 }),
    range('wind_speed_kt', { gte: windOf(random, isSevere) }),
  ];
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
