// nodemailer signing its mail, as a peer: node nodemailer_dkim.mjs PORT CONNECTIONS SECONDS MESSAGE_FILE KEY_FILE
//
// Each mail is personal (every QQTOKENQQ field of 32 bytes is filled anew) and signed with DKIM, RSA, relaxed/relaxed.
// Prints its counts as one line of JSON. The folder with node_modules is the working folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodemailer = createRequire(join(process.cwd(), "package.json"))("nodemailer");
const [port, connections, seconds] = process.argv.slice(2, 5).map(Number);
const pieces = readFileSync(process.argv[5], "latin1").split(/QQTOKENQQ-{23}/);
const pool = nodemailer.createTransport({
    pool: true,
    host: "127.0.0.1",
    port,
    name: "source.example.org",
    maxConnections: connections,
    maxMessages: Infinity,
    ignoreTLS: true,
    disableFileAccess: true,
    disableUrlAccess: true,
    dkim: { domainName: "example.org", keySelector: "news", privateKey: readFileSync(process.argv[6], "latin1") },
});

const begin = performance.now();
const end = begin + seconds * 1000;
let begun = 0;
let done = 0;

async function sendUntilTheEnd() {
    while (performance.now() < end) {
        const number = begun++;
        const raw = pieces.join(String(number).padStart(32, "0"));
        await pool.sendMail({ envelope: { from: "bounce@news.example.org", to: `reader${number}@example.net` }, raw });
        done++;
    }
}

await Promise.all(Array.from({ length: 2 * connections }, sendUntilTheEnd));
console.log(JSON.stringify({ messages: done, seconds: (performance.now() - begin) / 1000 }));
pool.close();
