// Does with jsforce what a program would do with orchestration runs, and prints what it got as one JSON object.
// Run by ../test_node_clients.py: node jsforce.js URL ACCESS_TOKEN USERNAME PASSWORD CLIENT_ID CLIENT_SECRET
"use strict";

const jsforce = require("jsforce");

const [url, accessToken, username, password, clientId, clientSecret] = process.argv.slice(2);
const RUN = "FlowOrchestrationInstance";
const version = "67.0";

async function everyRecord(connection, soql) {
  let page = await connection.query(soql);
  const records = [...page.records];
  while (!page.done) {
    page = await connection.queryMore(page.nextRecordsUrl);
    records.push(...page.records);
  }
  return records;
}

function bulkCount(stream) {
  return new Promise((resolve, reject) => {
    let count = 0;
    stream.on("record", () => count++);
    stream.on("end", () => resolve(count));
    stream.on("error", reject);
  });
}

async function main() {
  const got = {};
  const connection = new jsforce.Connection({ instanceUrl: url, accessToken, version });
  got.identity = (await connection.identity()).username;
  got.logs = (await everyRecord(connection, "SELECT Id FROM FlowOrchestrationLog")).length;
  got.total = (await connection.query("SELECT COUNT() FROM FlowOrchestrationLog")).totalSize;
  got.usage = connection.limitInfo.apiUsage;

  const running = (await connection.query(`SELECT Id FROM ${RUN} WHERE Status = 'InProgress' LIMIT 2`)).records;
  const runs = connection.sobject(RUN);
  got.described = (await connection.describe(RUN)).fields.some((field) => field.name === "Status");
  got.objects = (await connection.describeGlobal()).sobjects.some((each) => each.name === RUN);
  got.one = await runs.update({ Id: running[0].Id, Status: "Suspended" });
  got.many = await runs.update([
    { Id: running[1].Id, Status: "Suspended" },
    { Id: "0jERM0000000000AAA", Status: "Suspended" },
  ]);
  got.retrieved = (await runs.retrieve(running.map((run) => run.Id))).map((run) => run.Status);
  const now = new Date();
  got.updated = (await runs.updated(new Date(now - 3600e3), new Date(now.getTime() + 60e3))).ids.includes(running[0].Id);
  got.deleted = (await runs.deleted(new Date(now - 3600e3), now)).deletedRecords;
  got.limits = (await connection.limits()).DailyApiRequests.Max;
  got.refusal = await connection.query("SELECT Nope FROM User").catch((error) => error.errorCode);
  const steps = "SELECT Id, OrchestrationInstance.Status FROM FlowOrchestrationStepInstance";
  got.steps = (await connection.query("SELECT COUNT() FROM FlowOrchestrationStepInstance")).totalSize;
  got.bulk = await bulkCount(await connection.bulk2.query(steps, { pollInterval: 50 }));

  const bySoap = new jsforce.Connection({ loginUrl: url, version });
  got.soap = (await bySoap.login(username, password)).organizationId;
  const bySecret = new jsforce.Connection({ instanceUrl: url, oauth2: { clientId, clientSecret, loginUrl: url } });
  got.clientCredentials = (await bySecret.authorize({ grant_type: "client_credentials" })).organizationId;
  process.stdout.write(JSON.stringify(got));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
