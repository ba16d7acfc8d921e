"""The input properties of the Cloudflare types the simulation knows, as the Pulumi SDK names them.

Source: the SDK's own `…Args` classes (`pulumi_cloudflare` 6.23); a test holds the two equal. Written out here
because importing the SDK takes seconds and 160 MB.
"""

from __future__ import annotations

from gatehouse.simulation.shapes import parse

SHAPES = parse(
    """
Zone: account!=Account name! paused type vanityNameServers[]
Account: id
ZoneSetting: settingId! value!* zoneId! enabled
ZoneDnssec: zoneId! dnssecMultiSigner dnssecPresigned dnssecUseNsec3 status
DnsRecord: name! ttl! type! zoneId! comment content data=RecordData includeShadowMetadata priority privateRouting
 proxied settings=RecordSettings tags[]
RecordData: algorithm altitude certificate digest digestType fingerprint flags keyTag latDegrees latDirection
 latMinutes latSeconds longDegrees longDirection longMinutes longSeconds matchingType order port precisionHorz
 precisionVert preference priority protocol publicKey regex replacement selector service size tag target type
 usage value weight
RecordSettings: flattenCname ipv4Only ipv6Only
Ruleset: kind! name! phase! accountId description rules=RulesetRule[] zoneId
RulesetRule: action! expression! actionParameters=RuleParameters description enabled
 exposedCredentialCheck=CredentialCheck id logging=RuleLogging ratelimit=Ratelimit ref
CredentialCheck: passwordExpression! usernameExpression!
RuleLogging: enabled
Ratelimit: characteristics![] period! countingExpression mitigationTimeout requestsPerPeriod requestsToOrigin
 scorePerPeriod scoreResponseHeaderName
RuleParameters: additionalCacheablePorts[] algorithms* assetName automaticHttpsRewrites autominify* bic browserTtl*
 cache cacheKey* cacheReserve* content contentConverter contentType cookieFields* disableApps disableRum
 disableZaraz edgeTtl* emailObfuscation expression fonts fromList* fromValue=FromValue headers* hostHeader
 hotlinkProtection id immutable* increment matchedData* maxAge* mirage mustRevalidate* mustUnderstand* noCache*
 noStore* noTransform* operation opportunisticEncryption origin* originCacheControl originErrorPagePassthru
 originRangeRequests* overrides* phases[] polish private* products[] proxyRevalidate* public* rawResponseFields*
 readTimeout redirectsForAiTraining requestBodyBuffering requestFields* respectStrongEtags response*
 responseBodyBuffering responseFields* rocketLoader rules* ruleset rulesets[] sMaxage* securityLevel serveStale*
 serverSideExcludes sni* ssl staleIfError* staleWhileRevalidate* statusCode stripEtags stripLastModified
 stripSetCookie sxg transformedRequestFields* uri* values* vary*
FromValue: targetUrl!=TargetUrl preserveQueryString statusCode
TargetUrl: expression value
ZeroTrustTunnelCloudflared: accountId! name! configSrc tunnelSecret
ZeroTrustTunnelCloudflaredConfig: accountId! tunnelId! config=TunnelConfig source
TunnelConfig: ingresses=Ingress[] originRequest=OriginRequest
Ingress: service! hostname originRequest=OriginRequest path
OriginRequest: access=OriginAccess caPool connectTimeout disableChunkedEncoding http2Origin httpHostHeader
 keepAliveConnections keepAliveTimeout matchSnItoHost noHappyEyeballs noTlsVerify originServerName proxyType
 tcpKeepAlive tlsTimeout
OriginAccess: audTags![] teamName! required
ZeroTrustAccessIdentityProvider: config!=IdpConfig name! type! accountId readOnly samlCertificateSetId
 scimConfig=IdpScim zoneId
IdpConfig: appsDomain attributes[] authUrl authorizationServerId centrifyAccount centrifyAppId certsUrl claims[]
 clientId clientSecret conditionalAccessEnabled directoryId emailAttributeName emailClaimName enableEncryption
 forceAuthn headerAttributes=IdpHeader[] idpPublicCerts[] issuerUrl loginPageAutoPrompt maxSsoUrlLength
 oktaAccount oneloginAccount pingEnvId pkceEnabled prompt redirectUrl restrictToAccountMembers scopes[]
 signRequest ssoTargetUrl supportGroups tokenUrl useLoginHint
IdpHeader: attributeName headerName
IdpScim: enabled identityUpdateBehavior scimBaseUrl seatDeprovision secret userDeprovision
ZeroTrustAccessGroup: includes!=Rule[] name! accountId excludes=Rule[] isDefault requires=Rule[] zoneId
ZeroTrustAccessPolicy: accountId! decision! name! approvalGroups=Approval[] approvalRequired
 connectionRules=ConnectionRules excludes=Rule[] includes=Rule[] isolationRequired mfaConfig=Mfa
 purposeJustificationPrompt purposeJustificationRequired requires=Rule[] sessionDuration
Approval: approvalsNeeded! emailAddresses[] emailListUuid
ConnectionRules: rdp=Rdp
Rdp: allowedClipboardLocalToRemoteFormats[] allowedClipboardRemoteToLocalFormats[]
Mfa: allowedAuthenticators[] mfaDisabled sessionDuration
Rule: anyValidServiceToken=Empty authContext=AuthContext authMethod=AuthMethod azureAd=Azure certificate=Empty
 cloudflareAccountMember=AccountRef commonName=CommonName devicePosture=Posture email=Email
 emailDomain=EmailDomain emailList=IdRef everyone=Empty externalEvaluation=External geo=Geo
 githubOrganization=Github group=IdRef gsuite=Gsuite ip=Ip ipList=IdRef linkedAppToken=AppRef loginMethod=IdRef
 oidc=Oidc okta=Okta saml=Saml serviceToken=TokenRef userRiskScore=Risk
Empty:
AuthContext: acId! id! identityProviderId!
AuthMethod: authMethod!
Azure: id! identityProviderId!
AccountRef: accountId
CommonName: commonName!
Posture: integrationUid! accountId
Email: email!
EmailDomain: domain!
IdRef: id!
External: evaluateUrl! keysUrl!
Geo: countryCode!
Github: identityProviderId! name! team
Gsuite: email! identityProviderId!
Ip: ip!
AppRef: appUid!
Oidc: claimName! claimValue! identityProviderId!
Okta: identityProviderId! name!
Saml: attributeName! attributeValue! identityProviderId!
TokenRef: tokenId!
Risk: userRiskScores![]
ZeroTrustAccessApplication: accountId allowAuthenticateViaWarp allowIframe allowedIdps[] appLauncherLogoUrl
 appLauncherVisible autoRedirectToIdentity bgColor corsHeaders=Cors customDenyMessage customDenyUrl
 customNonIdentityDenyUrl customPages[] destinations=Destination[] domain enableBindingCookie
 footerLinks=FooterLink[] headerBgColor httpOnlyCookieAttribute landingPageDesign=Landing logoUrl mfaConfig=Mfa
 name oauthConfiguration=Oauth optionsPreflightBypass pathCookieAttribute policies=AppPolicy[]
 readServiceTokensFromHeader saasApp* sameSiteCookieAttribute scimConfig* selfHostedDomains[]
 serviceAuth401Redirect sessionDuration skipAppLauncherLoginPage skipInterstitial tags[] targetCriterias* type
 zoneId
Cors: allowAllHeaders allowAllMethods allowAllOrigins allowCredentials allowedHeaders[] allowedMethods[]
 allowedOrigins[] maxAge
Destination: cidr hostname l4Protocol mcpServerId portRange type uri vnetId workerId
FooterLink: name! url!
Landing: buttonColor buttonTextColor imageUrl message title
Oauth: dynamicClientRegistration* enabled grant*
AppPolicy: connectionRules* decision excludes=Rule[] id includes=Rule[] mfaConfig=Mfa name precedence
 requires=Rule[]
ZeroTrustAccessServiceToken: name! accountId clientSecretVersion duration enabled previousClientSecretExpiresAt
 zoneId
"""
)
