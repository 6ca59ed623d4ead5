/** In place of a consumer's bundle, for an isolated attempt that succeeds whatever its item. */
import { PrivateChannel } from "../../shared/base/private-channel.ts";

const channel = await PrivateChannel.toParent();
channel.onMessage(() => channel.send({ tag: "succeeded" }));
channel.send({ tag: "ready" });
