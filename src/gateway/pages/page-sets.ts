/** A folder of built files that is served as it is, to browsers. */
export interface PageSet {
  /** folder under `build/public`, and path under each prefix: `console` is at `/console` and `/epr/console` */
  name: string;
  /** for the log, and for who finds it missing */
  title: string;
  /** what its pages may load beyond {@link OWN_ORIGIN}, by directive */
  policy?: Readonly<Record<string, string>>;
  /** its pages sign people in: they ask the issuers, and sign out by a form that leads back here */
  signsIn?: true;
}

/**
 * All there are. Anybody may load them, without a token: they hold no data, and what they show, they ask of the
 * interface with the caller's own rights. They are not in the OpenAPI document, which is about that interface.
 */
export const PAGE_SETS: readonly PageSet[] = [
  { name: 'console', title: 'The console', signsIn: true },
  {
    name: 'docs',
    title: 'The description of the interface',
    // Swagger UI has its small pictures within its style sheet
    policy: { 'img-src': "'self' data:" },
    signsIn: true,
  },
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

/** The value of `Content-Security-Policy`. @param origins - of those who sign people in */
export function policyOf({ policy, signsIn }: PageSet, origins: readonly string[]): string {
  const both = ["'self'", ...origins].join(' ');
  const forSignIn =
    signsIn === true && origins.length > 0 ? { 'connect-src': both, 'form-action': both } : {};
  return Object.entries({ ...OWN_ORIGIN, ...policy, ...forSignIn })
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join('; ');
}
