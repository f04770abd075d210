import type { Fault } from '../api-types.js';

/** A token for a request, `undefined` where there is none to send; or why it is no use to send it. */
export type Granted = { token: string | undefined } | { fault: Fault };

/** What a request needs of who is signed in. */
export interface Credentials {
  /** Renewed when it is about to end. While somebody has to sign in anew, it waits for them. */
  token(): Promise<Granted>;
  /** The service refused this token: whether there is another one now. */
  replace(refused: string | undefined): Promise<boolean>;
}
