// node-ews for the test driver: one JSON array [operation, arguments] a line in, one JSON answer a line out.
'use strict';
const readline = require('node:readline');
const EWS = require('node-ews');

const [host, username, password, temp] = process.argv.slice(2);
const ews = new EWS({ host, username, password, temp, auth: 'basic' });

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  let answer;
  try {
    answer = { result: await ews.run(...JSON.parse(line)) };
  } catch (error) {
    answer = { error: { name: error.name, message: error.message } };
  }
  console.log(JSON.stringify(answer));
});
