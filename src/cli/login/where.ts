import { CliFailure, EXIT, messageOf } from '../failure.js';
import { addressOf } from '../address.js';
import { printable } from '../text.js';

export interface LoginPlace {
  tenant: string;
  issuer: string;
  clientId: string;
}

interface Offer {
  authentication: boolean;
  listed: boolean;
  tenants: { name: string; issuer: string; cliClientId: string }[];
}

const ASK_LIMIT_MS = 15_000;
const SHOWN_TENANTS = 20;

/** Where to log in for a register, as it says itself. `undefined`: it asks nobody who they are. */
export async function findPlace(
  url: URL,
  { tenant, clientId }: { tenant?: string; clientId?: string },
): Promise<LoginPlace | undefined> {
  const offer = await askRegister(url, tenant);
  if (!offer.authentication) return undefined;
  const names = offer.tenants.slice(0, SHOWN_TENANTS).map(({ name }) => printable(name));
  const [only] = offer.tenants;
  if (tenant !== undefined && only === undefined)
    throw new CliFailure(`The register knows no tenant ${JSON.stringify(tenant)}.`, EXIT.usage);
  if (!offer.listed)
    throw new CliFailure('The register does not list its tenants: name yours by --tenant.', EXIT.usage);
  if (only === undefined) throw new CliFailure('The register has no tenants, so nobody can log in.');
  if (offer.tenants.length > 1)
    throw new CliFailure(
      `There are several tenants: ${names.join(', ')}. Name yours by --tenant.`,
      EXIT.usage,
    );
  return { tenant: only.name, issuer: only.issuer, clientId: clientId ?? only.cliClientId };
}

async function askRegister(url: URL, tenant: string | undefined): Promise<Offer> {
  const query = tenant === undefined ? '' : `?${new URLSearchParams({ tenant }).toString()}`;
  let text: string;
  let status: number;
  try {
    const answer = await fetch(`${addressOf(url)}/api/v1/sign-in${query}`, {
      redirect: 'error',
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
    });
    status = answer.status;
    text = await answer.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new CliFailure(
      `No answer from ${addressOf(url)} (${messageOf(cause)}). Is the register running there? --url names another.`,
    );
  }
  const offer = parseOffer(text);
  if (status === 200 && offer !== undefined) return offer;
  throw new CliFailure(
    `What answers at ${addressOf(url)} does not say where to log in (${status}). Give the address that the register names for REST, with its path prefix if it has one; for a register of an older version, --issuer and --client-id.`,
  );
}

function parseOffer(text: string): Offer | undefined {
  try {
    const offer = JSON.parse(text) as Partial<Offer> | null;
    const whole =
      typeof offer?.authentication === 'boolean' &&
      typeof offer.listed === 'boolean' &&
      Array.isArray(offer.tenants) &&
      offer.tenants.every(
        ({ name, issuer, cliClientId }) =>
          typeof name === 'string' && URL.canParse(issuer) && typeof cliClientId === 'string',
      );
    return whole ? (offer as Offer) : undefined;
  } catch {
    return undefined;
  }
}
