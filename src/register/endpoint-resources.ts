import type { Refusal } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';

/** Where each endpoint has something of its own elsewhere: a resource at the auth server of its tenant (`src/security`). */
export interface EndpointResources {
  /**
   * Makes it. One that is there already is taken for a leftover of an endpoint that is none any more: it goes, with all
   * rights that were given on it, and another one is made. Never rejects.
   *
   * @returns undefined: it is there now
   */
  make(wish: ResourceWish): Promise<Refusal | Retry | undefined>;
  /** Nobody waits for it, so it may wait for others. Never rejects. @returns undefined: it is not there, or not there any more */
  remove(of: ResourceOf, signal?: AbortSignal): Promise<Retry | undefined>;
}

export interface ResourceOf {
  tenant: string;
  endpointId: string;
}

export interface ResourceWish extends ResourceOf {
  /** who registers it; absent: nobody was asked who they are */
  creator?: string;
  /** absent: of no call */
  correlationId?: string;
  /** of a batch task: no caller waits for it */
  isOfTask?: true;
  /** calls it off */
  signal?: AbortSignal;
  /** asked just before what is there already is removed: false, it is somebody else's by now. Absent: it stays. Never rejects */
  mayReplace?: () => Promise<boolean>;
}
