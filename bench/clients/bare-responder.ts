import { connect } from 'nats';
import { requestCodecs } from '../../src/avro/index.js';
import { childArgument, serveParent } from '../children.js';

/** The baseline of served requests: reads a batch of key updates, answers that all is well, stores nothing. */
const { url, subject } = childArgument<{ url: string; subject: string }>();
const codec = requestCodecs.epmmp['ep-metadata-key-batch-update-request'];
const connection = await connect({ servers: url });
connection.subscribe(subject, {
  queue: 'bench',
  callback: (error, message) => {
    if (error !== null) throw error;
    const { correlationId } = codec.request.decode(message.data);
    const head = { correlationId, timestamp: Date.now(), timeout: 0 };
    message.respond(codec.response.encode({ ...head, statusCode: 200, reasonPhrase: null }));
  },
});
await connection.flush();
serveParent({});
