"""The fields of the Kubernetes kinds the simulation looks into; others are kept as they come.

Source: the SDK's own `…Args` classes (`pulumi_kubernetes` 4.34), without status and the rarer volume sources;
a test holds the two equal.
"""

from __future__ import annotations

from gatehouse.simulation.shapes import parse

SHAPES = parse(
    """
Namespace: apiVersion kind metadata=ObjectMeta spec=NamespaceSpec status*
ObjectMeta: annotations* clusterName creationTimestamp deletionGracePeriodSeconds deletionTimestamp
 finalizers[] generateName generation labels* managedFields* name namespace ownerReferences=OwnerReference[]
 resourceVersion selfLink uid
OwnerReference: apiVersion kind name uid blockOwnerDeletion controller
NamespaceSpec: finalizers[]
Secret: apiVersion data* immutable kind metadata=ObjectMeta stringData* type
ConfigMap: apiVersion binaryData* data* immutable kind metadata=ObjectMeta
Service: apiVersion kind metadata=ObjectMeta spec=ServiceSpec status*
ServiceSpec: allocateLoadBalancerNodePorts clusterIP clusterIPs[] externalIPs[] externalName
 externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies[] ipFamily ipFamilyPolicy
 loadBalancerClass loadBalancerIP loadBalancerSourceRanges[] ports=ServicePort[] publishNotReadyAddresses
 selector* sessionAffinity sessionAffinityConfig=SessionAffinityConfig topologyKeys[] trafficDistribution
 type
ServicePort: port appProtocol name nodePort protocol targetPort
SessionAffinityConfig: clientIP=ClientIPConfig
ClientIPConfig: timeoutSeconds
ServiceAccount: apiVersion automountServiceAccountToken imagePullSecrets=LocalObjectReference[] kind
 metadata=ObjectMeta secrets=ObjectReference[]
LocalObjectReference: name
ObjectReference: apiVersion fieldPath kind name namespace resourceVersion uid
Deployment: spec=DeploymentSpec apiVersion kind metadata=ObjectMeta status*
DeploymentSpec: selector=LabelSelector template=PodTemplateSpec minReadySeconds paused
 progressDeadlineSeconds replicas revisionHistoryLimit strategy=DeploymentStrategy
LabelSelector: matchExpressions=LabelSelectorRequirement[] matchLabels*
LabelSelectorRequirement: key operator values[]
PodTemplateSpec: metadata=ObjectMeta spec=PodSpec
PodSpec: containers=Container[] activeDeadlineSeconds affinity=Affinity automountServiceAccountToken
 dnsConfig=PodDNSConfig dnsPolicy enableServiceLinks ephemeralContainers* evictionResponders*
 hostAliases=HostAlias[] hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride
 imagePullSecrets=LocalObjectReference[] initContainers=Container[] nodeName nodeSelector* os=PodOS overhead*
 preemptionPolicy priority priorityClassName readinessGates=PodReadinessGate[] resourceClaims*
 resources=ResourceRequirements restartPolicy runtimeClassName schedulerName schedulingGates*
 schedulingGroup* securityContext=PodSecurityContext serviceAccount serviceAccountName setHostnameAsFQDN
 shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations=Toleration[]
 topologySpreadConstraints=TopologySpreadConstraint[] volumes=Volume[] workloadRef*
Container: name args[] command[] env=EnvVar[] envFrom=EnvFromSource[] image imagePullPolicy
 lifecycle=Lifecycle livenessProbe=Probe ports=ContainerPort[] readinessProbe=Probe
 resizePolicy=ContainerResizePolicy[] resources=ResourceRequirements restartPolicy restartPolicyRules*
 securityContext=SecurityContext startupProbe=Probe stdin stdinOnce terminationMessagePath
 terminationMessagePolicy tty volumeDevices=VolumeDevice[] volumeMounts=VolumeMount[] workingDir
EnvVar: name value valueFrom=EnvVarSource
EnvVarSource: configMapKeyRef=ConfigMapKeySelector fieldRef=ObjectFieldSelector fileKeyRef=FileKeySelector
 resourceFieldRef=ResourceFieldSelector secretKeyRef=SecretKeySelector
ConfigMapKeySelector: key name optional
ObjectFieldSelector: fieldPath apiVersion
FileKeySelector: key path volumeName optional
ResourceFieldSelector: resource containerName divisor
SecretKeySelector: key name optional
EnvFromSource: configMapRef=ConfigMapEnvSource prefix secretRef=SecretEnvSource
ConfigMapEnvSource: name optional
SecretEnvSource: name optional
Lifecycle: postStart=LifecycleHandler preStop=LifecycleHandler stopSignal
LifecycleHandler: exec=ExecAction httpGet=HTTPGetAction sleep=SleepAction tcpSocket=TCPSocketAction
ExecAction: command[]
HTTPGetAction: port host httpHeaders=HTTPHeader[] path protocol scheme
HTTPHeader: name value
SleepAction: seconds
TCPSocketAction: port host
Probe: exec=ExecAction failureThreshold grpc=GRPCAction httpGet=HTTPGetAction initialDelaySeconds
 periodSeconds successThreshold tcpSocket=TCPSocketAction terminationGracePeriodSeconds timeoutSeconds
GRPCAction: port mode service
ContainerPort: containerPort hostIP hostPort name protocol
ContainerResizePolicy: resourceName restartPolicy
ResourceRequirements: claims=ResourceClaim[] limits* requests*
ResourceClaim: name request
SecurityContext: allowPrivilegeEscalation appArmorProfile=AppArmorProfile capabilities=Capabilities
 privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser seLinuxOptions*
 seccompProfile=SeccompProfile windowsOptions*
AppArmorProfile: type localhostProfile
Capabilities: add[] drop[]
SeccompProfile: type localhostProfile
VolumeDevice: devicePath name
VolumeMount: mountPath name bindMountOptions[] mountPropagation readOnly recursiveReadOnly subPath
 subPathExpr
Affinity: nodeAffinity=NodeAffinity podAffinity=PodAffinity podAntiAffinity=PodAntiAffinity
NodeAffinity: preferredDuringSchedulingIgnoredDuringExecution=PreferredSchedulingTerm[]
 requiredDuringSchedulingIgnoredDuringExecution=NodeSelector
PreferredSchedulingTerm: preference=NodeSelectorTerm weight
NodeSelectorTerm: matchExpressions=NodeSelectorRequirement[] matchFields=NodeSelectorRequirement[]
NodeSelectorRequirement: key operator values[]
NodeSelector: nodeSelectorTerms=NodeSelectorTerm[]
PodAffinity: preferredDuringSchedulingIgnoredDuringExecution=WeightedPodAffinityTerm[]
 requiredDuringSchedulingIgnoredDuringExecution=PodAffinityTerm[]
WeightedPodAffinityTerm: podAffinityTerm=PodAffinityTerm weight
PodAffinityTerm: topologyKey labelSelector=LabelSelector matchLabelKeys[] mismatchLabelKeys[]
 namespaceSelector=LabelSelector namespaces[]
PodAntiAffinity: preferredDuringSchedulingIgnoredDuringExecution=WeightedPodAffinityTerm[]
 requiredDuringSchedulingIgnoredDuringExecution=PodAffinityTerm[]
PodDNSConfig: nameservers[] options=PodDNSConfigOption[] searches[]
PodDNSConfigOption: name value
HostAlias: ip hostnames[]
PodOS: name
PodReadinessGate: conditionType
PodSecurityContext: appArmorProfile=AppArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot
 runAsUser seLinuxChangePolicy seLinuxOptions* seccompProfile=SeccompProfile supplementalGroups[]
 supplementalGroupsPolicy sysctls=Sysctl[] windowsOptions*
Sysctl: name value
Toleration: effect key operator tolerationSeconds value
TopologySpreadConstraint: maxSkew topologyKey whenUnsatisfiable labelSelector=LabelSelector matchLabelKeys[]
 minDomains nodeAffinityPolicy nodeTaintsPolicy
Volume: name awsElasticBlockStore* azureDisk* azureFile* cephfs* cinder* configMap=ConfigMapVolumeSource csi*
 downwardAPI* emptyDir=EmptyDirVolumeSource ephemeral* fc* flexVolume* flocker* gcePersistentDisk* gitRepo*
 glusterfs* hostPath=HostPathVolumeSource image* iscsi* nfs*
 persistentVolumeClaim=PersistentVolumeClaimVolumeSource photonPersistentDisk* portworxVolume*
 projected=ProjectedVolumeSource quobyte* rbd* scaleIO* secret=SecretVolumeSource storageos* vsphereVolume*
ConfigMapVolumeSource: defaultMode defaultUser items=KeyToPath[] name optional
KeyToPath: key path mode user
EmptyDirVolumeSource: medium mode sizeLimit
HostPathVolumeSource: path type
PersistentVolumeClaimVolumeSource: claimName readOnly
ProjectedVolumeSource: sources=VolumeProjection[] defaultMode defaultUser
VolumeProjection: clusterTrustBundle* configMap=ConfigMapProjection downwardAPI=DownwardAPIProjection
 podCertificate* secret=SecretProjection serviceAccountToken=ServiceAccountTokenProjection
ConfigMapProjection: items=KeyToPath[] name optional
DownwardAPIProjection: items=DownwardAPIVolumeFile[]
DownwardAPIVolumeFile: path fieldRef=ObjectFieldSelector mode resourceFieldRef=ResourceFieldSelector user
SecretProjection: items=KeyToPath[] name optional
ServiceAccountTokenProjection: path audience expirationSeconds user
SecretVolumeSource: defaultMode defaultUser items=KeyToPath[] optional secretName
DeploymentStrategy: rollingUpdate=RollingUpdateDeployment type
RollingUpdateDeployment: maxSurge maxUnavailable
PodDisruptionBudget: apiVersion kind metadata=ObjectMeta spec=PodDisruptionBudgetSpec status*
PodDisruptionBudgetSpec: maxUnavailable minAvailable selector=LabelSelector unhealthyPodEvictionPolicy
NetworkPolicy: apiVersion kind metadata=ObjectMeta spec=NetworkPolicySpec status*
NetworkPolicySpec: podSelector=LabelSelector egress=NetworkPolicyEgressRule[]
 ingress=NetworkPolicyIngressRule[] policyTypes[]
NetworkPolicyEgressRule: ports=NetworkPolicyPort[] to=NetworkPolicyPeer[]
NetworkPolicyPort: endPort port protocol
NetworkPolicyPeer: ipBlock=IPBlock namespaceSelector=LabelSelector podSelector=LabelSelector
IPBlock: cidr except[]
NetworkPolicyIngressRule: from=NetworkPolicyPeer[] ports=NetworkPolicyPort[]
Ingress: apiVersion kind metadata=ObjectMeta spec=IngressSpec status*
IngressSpec: defaultBackend=IngressBackend ingressClassName rules=IngressRule[] tls=IngressTLS[]
IngressBackend: resource=TypedLocalObjectReference service=IngressServiceBackend
TypedLocalObjectReference: kind name apiGroup
IngressServiceBackend: name port=ServiceBackendPort
ServiceBackendPort: name number
IngressRule: host http=HTTPIngressRuleValue
HTTPIngressRuleValue: paths=HTTPIngressPath[]
HTTPIngressPath: backend=IngressBackend pathType path
IngressTLS: hosts[] secretName
IngressClass: apiVersion kind metadata=ObjectMeta spec=IngressClassSpec
IngressClassSpec: controller parameters=IngressClassParametersReference
IngressClassParametersReference: kind name apiGroup namespace scope
"""
)
