/** Characters of a `correlationId` that are kept, or taken: it goes with every event that a message causes. */
export const MAX_CORRELATION_ID = 256;
