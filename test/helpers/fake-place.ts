import type { Overview } from "../../ui/server/api.ts";
import type { Place } from "../../ui/server/place.ts";

const never = () => Promise.reject(new Error("not in this test"));

export const emptyOverview: Overview = {
  place: "this machine",
  flags: "",
  isStack: false,
  writable: true,
  startable: [],
  workflows: [],
  runs: [],
  problem: null,
  isRead: true,
};

/** What a dashboard shows in a test: nothing, except what the test gives. */
export const fakePlace = (given: Partial<Place> = {}): Place => {
  const place: Place = {
    overview: emptyOverview,
    refresh: async () => {},
    samplesOf: () => ({ read: async () => [] }),
    detail: never,
    partitions: never,
    durations: async () => null,
    logs: never,
    results: never,
    download: async function* () {},
    command: async () => "changed",
    load: async () => ({ message: "loaded" }),
    check: never,
    redrive: async () => ({ message: "redriven" }),
    purge: async () => ({ message: "purged" }),
    close: async () => {},
  };
  // A getter of the test stays a getter.
  return Object.defineProperties(place, Object.getOwnPropertyDescriptors(given));
};
