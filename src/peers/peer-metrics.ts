import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CircuitState, PeerAnswer, UnavailableCause } from './types.js';

/** What one request to a peer came to. */
export type PeerOutcome = Exclude<PeerAnswer<unknown>['kind'], 'unavailable'> | UnavailableCause;

/** Of all peers; made once. */
export interface PeerMetrics {
  requests: Counter<'peer' | 'outcome'>;
  seconds: Histogram<'peer'>;
  /** of a new client, until what is answered is called; there may be several of one name */
  watch(peer: string, state: () => { pending: number; circuit: CircuitState }): () => void;
}

const CIRCUIT_STATES: readonly CircuitState[] = ['closed', 'half-open', 'open'];

export function createPeerMetrics(registry: Registry): PeerMetrics {
  const registers = [registry];
  const watched = new Map<string, Set<() => { pending: number; circuit: CircuitState }>>();
  new Gauge({
    name: 'epr_peer_calls_pending',
    help: 'Calls of other services under way, pauses between attempts included.',
    labelNames: ['peer'],
    registers,
    collect() {
      this.reset();
      for (const [peer, states] of watched) for (const state of states) this.inc({ peer }, state().pending);
    },
  });
  new Gauge({
    name: 'epr_peer_circuit',
    help: 'How many circuit breakers of a peer are closed (calls go out), open (they are answered at once) or half-open (one is tried): of each peer one, of auth servers one for each tenant that they were asked for.',
    labelNames: ['peer', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [peer, states] of watched)
        for (const state of states) {
          const { circuit } = state();
          for (const each of CIRCUIT_STATES) this.inc({ peer, state: each }, each === circuit ? 1 : 0);
        }
    },
  });
  return {
    watch(peer, state) {
      const states = watched.get(peer) ?? new Set();
      watched.set(peer, states.add(state));
      return () => {
        states.delete(state);
        if (states.size === 0 && watched.get(peer) === states) watched.delete(peer);
      };
    },
    requests: new Counter({
      name: 'epr_peer_requests_total',
      help: 'Requests to other services, each attempt counted, by what came of them: ok, refused (4xx, 3xx), malformed (an answer that is not what it must be), overloaded (408, 429), server-error, unreachable, timeout, broken, cancelled; and those that were not sent: circuit-open, too-many, no-token.',
      labelNames: ['peer', 'outcome'],
      registers,
    }),
    seconds: new Histogram({
      name: 'epr_peer_request_seconds',
      help: 'Time of a request to another service, from the wait for a connection to the end of the answer.',
      labelNames: ['peer'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  };
}
