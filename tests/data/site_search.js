// Asks the search of the built site as its pages do: the theme's own worker, behind assets/search.js.
//     node site_search.js WORKER INDEX PATCH < queries.json    # a list of queries; gives a list of the places found for each
const fs = require("fs");
const vm = require("vm");

const [worker, index, patch] = process.argv.slice(2).map((path) => fs.readFileSync(path, "utf8"));
const inside = { console, addEventListener: (_, heard) => (inside.heard = heard), postMessage: (m) => inside.answered(m) };
inside.self = inside;
vm.runInNewContext(worker, inside);

class Worker {
  postMessage(message) {
    inside.heard({ data: message });
  }
}
vm.runInNewContext(patch, { Worker });

const ask = (message) =>
  new Promise((resolve) => {
    inside.answered = resolve;
    new Worker().postMessage(message);
  });

(async () => {
  await ask({ type: 0, data: { ...JSON.parse(index), options: { suggest: true } } });
  const found = [];
  for (const query of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const { data } = await ask({ type: 2, data: query });
    found.push(data.items.map((pages) => pages[0].location));
  }
  console.log(JSON.stringify(found));
})();
