// Made from package/schema.json (GATEHOUSE_UPDATE_SNAPSHOTS=1 make test). `pulumi install` makes the SDK itself.
import * as pulumi from "@pulumi/pulumi";

export type SslArgs = "off" | "flexible" | "full" | "strict";

export type MinTlsArgs = "1.2" | "1.3";

export interface HstsArgs {
    maxAgeSeconds: number;
    includeSubdomains?: boolean;
    preload?: boolean;
}

export interface RouteArgs {
    key: string;
    hosts: string[];
    origin: string;
    title?: string;
    people?: string[];
    public?: boolean;
    nobody?: boolean;
    path?: string;
    paths?: { [key: string]: PathRouteArgs };
    acmeSolver?: string;
    noTlsVerify?: boolean;
    originServerName?: string;
    matchSniToHost?: boolean;
    http2Origin?: boolean;
    connectTimeoutSeconds?: number;
    httpHostHeader?: string;
}

export interface PathRouteArgs {
    people?: string[];
    public?: boolean;
    nobody?: boolean;
}

export type EdgeProtocolArgs = "auto" | "quic" | "http2";

export type SchemeArgs = "http" | "https";

export type ControllerArgs = "traefik" | "nginx" | "other";

export interface TailnetPortArgs {
    port: number;
    protocol?: ProtocolArgs;
    targetPort?: any;
}

export type ProtocolArgs = "tcp" | "udp";

export interface ForwardedPortArgs {
    protocol: ProtocolArgs;
    port: number;
    nodePort: number;
    targetPort?: any;
}

export interface TailnetDnsArgs {
    magicDns?: boolean;
    nameservers?: string[];
    overrideLocalDns?: boolean;
    splitDns?: { [key: string]: string[] };
    searchPaths?: string[];
}

export interface TailnetSettingsArgs {
    httpsEnabled?: boolean;
    devicesApprovalOn?: boolean;
    usersApprovalOn?: boolean;
    devicesKeyDurationDays?: number;
}

export interface ZoneArgs {
    accountId: pulumi.Input<string>;
    zone: pulumi.Input<string>;
    dnssec?: boolean;
    ssl?: SslArgs;
    minTlsVersion?: MinTlsArgs;
    alwaysUseHttps?: boolean;
    automaticHttpsRewrites?: boolean;
    hsts?: HstsArgs;
}

export declare class Zone extends pulumi.ComponentResource {
    readonly zoneId: pulumi.Output<string>;
    readonly nameServers: pulumi.Output<string[]>;
    readonly dsRecord: pulumi.Output<string | undefined>;
    constructor(name: string, args: ZoneArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface GoogleArgs {
    accountId: pulumi.Input<string>;
    team: string;
    clientId: pulumi.Input<string>;
    clientSecret: pulumi.Input<string>;
    people: { [key: string]: string[] };
    nobody?: boolean;
    sessionDuration?: string;
}

export declare class Google extends pulumi.ComponentResource {
    readonly identityProviderId: pulumi.Output<string>;
    readonly policyIds: pulumi.Output<{ [key: string]: string }>;
    readonly bypassPolicyId: pulumi.Output<string>;
    readonly denyPolicyId: pulumi.Output<string | undefined>;
    readonly redirectUri: pulumi.Output<string>;
    constructor(name: string, args: GoogleArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface TunnelArgs {
    accountId: pulumi.Input<string>;
    tunnelName: pulumi.Input<string>;
    tunnelSecret: pulumi.Input<string>;
}

export declare class Tunnel extends pulumi.ComponentResource {
    readonly tunnelId: pulumi.Output<string>;
    readonly token: pulumi.Output<string>;
    constructor(name: string, args: TunnelArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface TunnelRoutesArgs {
    accountId: pulumi.Input<string>;
    zoneId: pulumi.Input<string>;
    tunnelId: pulumi.Input<string>;
    team: string;
    routes: pulumi.Input<RouteArgs>[];
    identityProviderId?: pulumi.Input<string>;
    policyIds?: pulumi.Input<{ [key: string]: pulumi.Input<string> }>;
    bypassPolicyId?: pulumi.Input<string>;
    denyPolicyId?: pulumi.Input<string>;
    sessionDuration?: string;
}

export declare class TunnelRoutes extends pulumi.ComponentResource {
    readonly urls: pulumi.Output<{ [key: string]: string }>;
    readonly auds: pulumi.Output<{ [key: string]: string }>;
    constructor(name: string, args: TunnelRoutesArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface ConnectorArgs {
    token: pulumi.Input<string>;
    origins: string[];
    logins?: boolean;
    namespace?: string;
    replicas?: number;
    image?: string;
    protocol?: EdgeProtocolArgs;
    openPorts?: number[];
}

export declare class Connector extends pulumi.ComponentResource {
    readonly namespace: pulumi.Output<string>;
    constructor(name: string, args: ConnectorArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface ManagedIngressArgs {
    namespace: string;
    service: string;
    port: pulumi.Input<number>;
    hosts: string[];
    scheme?: SchemeArgs;
    className?: string;
    controller?: ControllerArgs;
    clusterIssuer?: pulumi.Input<string>;
}

export declare class ManagedIngress extends pulumi.ComponentResource {
    readonly hosts: pulumi.Output<string[]>;
    constructor(name: string, args: ManagedIngressArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface FunnelServiceArgs {
    namespace: pulumi.Input<string>;
    service: pulumi.Input<string>;
    port: pulumi.Input<number>;
    machine: pulumi.Input<string>;
    paths?: string[];
}

export declare class FunnelService extends pulumi.ComponentResource {
    readonly machine: pulumi.Output<string>;
    constructor(name: string, args: FunnelServiceArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface TailnetServiceArgs {
    namespace: pulumi.Input<string>;
    service: pulumi.Input<string>;
    machine: pulumi.Input<string>;
    tag: pulumi.Input<string>;
    port?: pulumi.Input<number>;
    ports?: pulumi.Input<TailnetPortArgs>[];
    selector?: { [key: string]: string };
}

export declare class TailnetService extends pulumi.ComponentResource {
    readonly machine: pulumi.Output<string>;
    constructor(name: string, args: TailnetServiceArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface PortForwardArgs {
    namespace: pulumi.Input<string>;
    selector: { [key: string]: string };
    ports: pulumi.Input<ForwardedPortArgs>[];
    hosts: string[];
    zoneId: pulumi.Input<string>;
    ipv4: pulumi.Input<string>;
}

export declare class PortForward extends pulumi.ComponentResource {
    readonly hosts: pulumi.Output<string[]>;
    constructor(name: string, args: PortForwardArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface TailnetArgs {
    policy: { [key: string]: pulumi.Input<any> };
    dns?: TailnetDnsArgs;
    settings?: TailnetSettingsArgs;
    overwrite?: boolean;
}

export declare class Tailnet extends pulumi.ComponentResource {
    readonly policyId: pulumi.Output<string>;
    constructor(name: string, args: TailnetArgs, opts?: pulumi.ComponentResourceOptions);
}

export interface TailscaleOperatorArgs {
    node: pulumi.Input<string>;
    key?: number;
}

export declare class TailscaleOperator extends pulumi.ComponentResource {
    readonly clientId: pulumi.Output<string>;
    constructor(name: string, args: TailscaleOperatorArgs, opts?: pulumi.ComponentResourceOptions);
}
