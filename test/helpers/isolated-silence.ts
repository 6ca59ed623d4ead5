/** In place of a consumer's bundle, for an attempt whose process is never ready. */
import { PrivateChannel } from "../../shared/base/private-channel.ts";

const channel = await PrivateChannel.toParent();
channel.onClose(() => process.exit(0));
