/** A folder of built files that is served as it is, to browsers. */
export interface PageSet {
  /** folder under `build/public`, and path under each prefix: `console` is at `/console` and `/epr/console` */
  name: string;
  /** for the log, and for who finds it missing */
  title: string;
  /** what its pages may load beyond {@link OWN_ORIGIN}, by directive */
  policy?: Readonly<Record<string, string>>;
}

/**
 * All there are. Anybody may load them, without a token: they hold no data, and what they show, they ask of the
 * interface with the caller's own rights. They are not in the OpenAPI document, which is about that interface.
 */
export const PAGE_SETS: readonly PageSet[] = [
  { name: 'console', title: 'The console' },
  // Swagger UI has its small pictures within its style sheet
  { name: 'docs', title: 'The description of the interface', policy: { 'img-src': "'self' data:" } },
];

/** Where `/` leads to. */
export const HOME = 'console';

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const OWN_ORIGIN: Readonly<Record<string, string>> = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'font-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** The value of `Content-Security-Policy`. */
export function policyOf({ policy }: PageSet): string {
  return Object.entries({ ...OWN_ORIGIN, ...policy })
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join('; ');
}
