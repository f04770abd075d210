import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf } from '../address.js';
import { CliFailure, EXIT, messageOf } from '../failure.js';
import { onInterrupt } from '../interrupt.js';
import { isLoopback } from '../../model/loopback.js';
import { duration, printable } from '../text.js';
import { type AuthServer, createAuthServer, type DeviceStart, type Issued } from './auth-server.js';
import { endLogin } from './end-login.js';
import { createLoginStore } from './login-store.js';
import { findPlace } from './where.js';

/** The flags of `epr login`. */
export interface LoginFlags {
  url: URL;
  tenant?: string;
  issuer?: URL;
  clientId?: string;
  allowHttp?: boolean;
}

const DEFAULT_CLIENT_ID = 'epr-cli';
/** RFC 8628, 3.5 */
const SLOWER_MS = 5000;
/** attempts that fail one after the other, until it is given up */
const LOST_LIMIT = 10;

/** `epr login`: a person allows it in a browser, anywhere (RFC 8628). A login that was there is ended first. Answers the exit code. */
export async function login({
  url,
  tenant,
  issuer,
  clientId,
  allowHttp = false,
}: LoginFlags): Promise<number> {
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowHttp)
    throw new CliFailure(
      `Tokens would go to ${addressOf(url)} without TLS: whoever is on the way could read them. Use its https:// address; if it is so on purpose, as in a test network: --allow-http`,
      EXIT.usage,
    );
  const interrupt = onInterrupt();
  try {
    const place =
      issuer === undefined
        ? await findPlace(url, {
            ...(tenant === undefined ? {} : { tenant }),
            ...(clientId === undefined ? {} : { clientId }),
          })
        : // without the slash that URL puts behind a host
          {
            tenant: tenant ?? '',
            issuer: issuer.href.replace(/\/$/, ''),
            clientId: clientId ?? DEFAULT_CLIENT_ID,
          };
    if (place === undefined) {
      process.stdout.write(
        `The register at ${addressOf(url)} asks nobody who they are: no login is needed.\n`,
      );
      return EXIT.ok;
    }
    const server = createAuthServer(place.issuer, place.clientId, allowHttp);
    const device = await server.startDevice();
    const store = createLoginStore();
    // before anybody says yes: the same browser may continue the same session, which revoking ends
    const former = await endLogin(store, url);
    if (former?.note !== undefined) process.stderr.write(`epr: of the former login: ${former.note}\n`);
    process.stderr.write(invitation(device));
    const issued = await untilAllowed(server, device, interrupt.first);
    const name = issued.name ?? 'somebody';
    const { accessToken, lastsMs, refreshToken } = issued;
    await store.alone(url, async () =>
      store.write({
        url: addressOf(url),
        allowHttp,
        ...place,
        name,
        accessToken,
        expiresMs: Date.now() + lastsMs,
        lastsMs,
        ...(refreshToken === undefined ? {} : { refreshToken }),
      }),
    );
    const of = place.tenant === '' ? '' : ` of the tenant ${printable(place.tenant)}`;
    process.stdout.write(`Logged in to ${addressOf(url)} as ${printable(name)}${of}.\n`);
    return EXIT.ok;
  } catch (error) {
    if (interrupt.first.aborted) throw new CliFailure('Not logged in.', EXIT.interrupted);
    throw error;
  } finally {
    interrupt.forget();
  }
}

function invitation({ userCode, verificationUri, completeUri, expiresInMs }: DeviceStart): string {
  const code = printable(userCode);
  const short = `Open   ${verificationUri}\nEnter  ${code}\n`;
  const direct = completeUri === undefined ? '' : `or open ${completeUri} and compare the code.\n`;
  return `${short}${direct}\nAllow it there only if you see this code: ${code}\nWaiting for that, ${duration(expiresInMs)} at most; Ctrl-C ends it.\n`;
}

async function untilAllowed(server: AuthServer, device: DeviceStart, signal: AbortSignal): Promise<Issued> {
  const endMs = Date.now() + device.expiresInMs;
  let { intervalMs } = device;
  let lost = 0;
  while (Date.now() < endMs) {
    await sleep(intervalMs, undefined, { signal });
    try {
      const answer = await server.askDevice(device.deviceCode);
      lost = 0;
      if (answer.kind === 'issued') return answer.issued;
      if (answer.kind === 'denied')
        throw new CliFailure('It was not allowed in the browser. Nobody is logged in.');
      if (answer.kind === 'expired') break;
      if (answer.kind === 'slow-down') intervalMs += SLOWER_MS;
    } catch (error) {
      if (error instanceof CliFailure || ++lost === LOST_LIMIT) throw error;
      if (lost === 1) process.stderr.write(`epr: ${messageOf(error)}; trying again\n`);
    }
  }
  throw new CliFailure('The code has expired: nobody allowed it in time. Run the same command again.');
}
