/**
 * The binary form of a supervisor's configuration: encodes it, decodes it, and converts it to
 * options.
 *
 * @module
 */
export {
  CHILD_TYPES,
  CONFIG_BYTES_MAX,
  CONFIG_FAULTS,
  CONFIG_STRATEGIES,
  type ConfigChild,
  ConfigError,
  type ConfigFault,
  type ConfigForm,
  configOptions,
  decodeConfig,
  type DecodeConfigOptions,
  type DecodedConfig,
  encodeConfig,
  type SupervisorConfig,
} from "../otp/config.ts";
