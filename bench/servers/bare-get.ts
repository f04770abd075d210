import uWS from 'uWebSockets.js';
import { childArgument, serveParent } from '../children.js';
import { readAnswers } from './answers.js';

/** As little as can be: the answer stands in memory, and is sent. No store, no checks, no query, no conditions. */
const answers = readAnswers(childArgument<{ endpoints: number }>().endpoints);

uWS
  .App()
  .get('/api/v1/endpoints/:endpointId/metadata', (response, request) => {
    const answer = answers.get(request.getParameter(0) ?? '');
    if (answer === undefined) {
      response.writeStatus('404 Not Found').end();
      return;
    }
    response.cork(() =>
      response
        .writeHeader('content-type', 'application/json')
        .writeHeader('etag', answer.etag)
        .end(answer.body),
    );
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port');
    serveParent({ port: uWS.us_socket_local_port(socket) });
  });
