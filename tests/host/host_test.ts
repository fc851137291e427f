import { makeHost } from "../kit/host.ts";
import { hostContract } from "./contract.ts";

await hostContract(makeHost);
