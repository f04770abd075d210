import { connect } from 'nats';
import { childArgument, serveParent } from '../children.js';

/** The baseline of connected events: takes messages from a durable pull consumer and acknowledges each, nothing else. */
const { url, stream, durable, maxMessages } = childArgument<{
  url: string;
  stream: string;
  durable: string;
  maxMessages: number;
}>();
const connection = await connect({ servers: url });
const consumer = await connection.jetstream().consumers.get(stream, durable);
await consumer.consume({ max_messages: maxMessages, callback: (message) => message.ack() });
serveParent({});
