/**
 * Tries everything that a web page can do to a server. The test adds this script to a page.
 *
 * @returns what it could read in any way: `Read` of attack.ts.
 */
async function attack({ endpoint, keys, requests, query }) {
  const reads = [];
  const headersOf = (key, target) => ({
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": target,
    "x-amz-date": "20261127T080000Z",
    authorization: `AWS4-HMAC-SHA256 Credential=${key}/20261127/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const byFetch = async (by, init, path = "") => {
    try {
      const response = await fetch(endpoint + path, init);
      const text = await response.text();
      if (response.type !== "opaque") reads.push({ by, status: response.status, text });
    } catch {
      // The browser does not let the page read the answer.
    }
  };
  const byXhr = (by, method, headers, body) =>
    new Promise((done) => {
      const xhr = new XMLHttpRequest();
      xhr.open(method, endpoint);
      for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
      xhr.onloadend = () => {
        if (xhr.status !== 0) reads.push({ by, status: xhr.status, text: xhr.responseText });
        done();
      };
      xhr.send(body ?? null);
    });
  /** Adds an element that loads something, and waits for its end. */
  const byElement = (tag, attributes) =>
    new Promise((done) => {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.onload = element.onerror = () => done();
      document.body.append(element);
    });
  const byForm = async (enctype, fields) => {
    const name = `frame-${Math.random()}`;
    const frame = document.createElement("iframe");
    frame.name = name;
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: endpoint, enctype, target: name });
    for (const [field, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      Object.assign(input, { name: field, value });
      form.append(input);
    }
    document.body.append(form);
    const loaded = new Promise((done) => {
      frame.onload = () => done();
    });
    form.submit();
    await loaded;
    try {
      const text = frame.contentDocument?.body.textContent;
      if (text) reads.push({ by: `form ${enctype}`, status: 0, text });
    } catch {
      // The frame has another origin.
    }
  };

  await byFetch("fetch GET", {});
  await byFetch("fetch GET with cookies", { credentials: "include" });
  await byXhr("XHR GET", "GET", {});
  for (const { target, body } of requests) {
    for (const mode of ["cors", "no-cors"]) {
      await byFetch(`fetch POST ${mode}`, { method: "POST", mode, headers: { "content-type": "text/plain" }, body });
    }
    for (const key of keys) {
      const headers = headersOf(key, target);
      await byFetch("fetch POST with headers", { method: "POST", headers, body });
      // A GET request to the same origin has no Origin header.
      await byFetch("fetch GET with headers", { headers });
      await byXhr("XHR POST with headers", "POST", headers, body);
      const presigned = new URLSearchParams({
        ...query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": `${key}/20261127/us-east-1/x/aws4_request`,
        "X-Amz-Date": "20261127T080000Z",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0",
      });
      await byFetch("fetch presigned", { method: "POST", mode: "no-cors", body }, `/?${presigned}`);
      await byElement("img", { src: `${endpoint}/?${presigned}` });
    }
    await byForm("text/plain", { [body.slice(0, -1)]: "}" });
    navigator.sendBeacon(endpoint, new Blob([body], { type: "text/plain" }));
  }
  const plain = new URLSearchParams(query);
  await byElement("img", { src: `${endpoint}/?${plain}` });
  await byElement("script", { src: `${endpoint}/?${plain}` });
  await byElement("iframe", { src: `${endpoint}/?${plain}` });
  await byElement("link", { rel: "stylesheet", href: `${endpoint}/?${plain}` });
  await byForm("application/x-www-form-urlencoded", query);
  await byForm("multipart/form-data", query);
  await new Promise((done) => {
    const socket = new WebSocket(endpoint.replace("http:", "ws:"));
    socket.onopen = () => reads.push({ by: "WebSocket", status: 101, text: "open" });
    socket.onclose = () => done();
  });
  await new Promise((done) => {
    const events = new EventSource(endpoint);
    events.onopen = () => reads.push({ by: "EventSource", status: 200, text: "open" });
    events.onerror = () => {
      events.close();
      done();
    };
  });
  return reads;
}

globalThis.attack = attack;
