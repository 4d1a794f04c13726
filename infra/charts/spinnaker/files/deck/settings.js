'use strict';

// Deck and Gate have one origin: Deck's server hands /gate on.
window.spinnakerSettings = {
  authEnabled: true,
  authEndpoint: '/gate/auth/user',
  bakeryDetailUrl: '/gate/bakery/logs/{{ "{{context.region}}/{{context.status.resourceId}}" }}',
  canary: { featureDisabled: true },
  checkForUpdates: false,
  defaultInstancePort: 80,
  defaultProviders: ['kubernetes'],
  defaultTimeZone: {{ .Values.timezone | toJson }},
  feature: {
    canary: false,
    chaosMonkey: false,
    fiatEnabled: false,
    pipelineTemplates: true,
    roscoMode: true,
  },
  gateUrl: '/gate',
  kubernetesAdHocInfraWritesEnabled: false,
  notifications: {},
  providers: { kubernetes: {} },
  version: {{ .Values.version | toJson }},
};
