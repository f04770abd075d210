import type { Refusal } from '../model/errors.js';

/** Who issues the tokens of endpoints: this service itself (`own-tokens.ts`), or credential management (`src/peers`). */
export interface TokenIssuer {
  /**
   * Whether the same wish comes to the same token however often it is made, at no cost. With others, each may come to one
   * more token that nobody takes back: a registration is looked at before its token is issued, and what was issued is
   * remembered until it is used.
   */
  readonly repeatable: boolean;
  /** Never rejects. */
  issue(wish: TokenWish): Issued | Promise<Issued>;
}

export interface TokenWish {
  /** of the application */
  tenant: string;
  application: string;
  /** checked: it may become part of a path */
  endpointId: string;
  /** given by the caller, and checked; absent: one is to be made */
  token?: string;
  /** of a wish that may be made again: the same each time */
  requestId?: string;
  correlationId: string;
  /** one of the many of a batch task: it waits as long as it takes, and holds up nobody who waits for an answer */
  isOfTask?: boolean;
  /** calls it off */
  signal?: AbortSignal;
}

export type Issued =
  | {
      kind: 'issued';
      token: string;
      /** by which the storage keeps tokens apart; absent: the issuer does */
      hash?: string;
    }
  /** 409 or 400: the same wish would be refused again */
  | Refusal
  | Unissued;

/** There is no token, for no fault of the caller. */
export interface Unissued {
  kind: 'unissued';
  /**
   * `too-many`: more wait for their tokens than may. `away`: surely none was issued, and later one may be. `failed`: one
   * may have been issued that nobody knows, or the issuer does not work as it should.
   */
  cause: 'too-many' | 'away' | 'failed';
  message: string;
}
